// The table of the API's routes. A row here and a handler in one of the *_routes.cc files make an
// endpoint; all of them take an ApiService.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/api_service.h"
#include "server/exchange.h"
#include "server/route.h"

namespace strata::server {

std::span<const Route> api_routes();

// Handlers, by file.
asio::awaitable<void> show_page(Service& service, Exchange& exchange);
asio::awaitable<void> livez(Service& service, Exchange& exchange);
asio::awaitable<void> readyz(Service& service, Exchange& exchange);
asio::awaitable<void> show_metrics(Service& service, Exchange& exchange);
asio::awaitable<void> version(Service& service, Exchange& exchange);
asio::awaitable<void> list_models(Service& service, Exchange& exchange);
asio::awaitable<void> show_model(Service& service, Exchange& exchange);
asio::awaitable<void> chat_completions(Service& service, Exchange& exchange);
asio::awaitable<void> completions(Service& service, Exchange& exchange);
asio::awaitable<void> messages(Service& service, Exchange& exchange);
asio::awaitable<void> responses(Service& service, Exchange& exchange);
asio::awaitable<void> count_tokens(Service& service, Exchange& exchange);
asio::awaitable<void> tokenize(Service& service, Exchange& exchange);
asio::awaitable<void> detokenize(Service& service, Exchange& exchange);
asio::awaitable<void> upload_file(Service& service, Exchange& exchange);
asio::awaitable<void> list_files(Service& service, Exchange& exchange);
asio::awaitable<void> show_file(Service& service, Exchange& exchange);
asio::awaitable<void> show_file_content(Service& service, Exchange& exchange);
asio::awaitable<void> delete_file(Service& service, Exchange& exchange);
asio::awaitable<void> create_batch(Service& service, Exchange& exchange);
asio::awaitable<void> list_batches(Service& service, Exchange& exchange);
asio::awaitable<void> show_batch(Service& service, Exchange& exchange);
asio::awaitable<void> cancel_batch(Service& service, Exchange& exchange);

// What they have in common.
Reply json_reply(const Json& body, int status = 200);
/// An error object; with Retry-After where the same request may be taken later.
Reply status_reply(const Status& status, ErrorForm form = ErrorForm::kOpenAi);
/// 503: no model yet, or no more.
Reply unavailable_reply(const ApiService& service, ErrorForm form = ErrorForm::kOpenAi);
/// The body as an object, within limits that bound its memory.
Result<Json> read_json(Exchange& exchange);
/// Tells the client which of its fields nobody knows.
void list_ignored(const std::vector<std::string>& names, Exchange& exchange);

}  // namespace strata::server
