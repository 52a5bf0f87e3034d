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
asio::awaitable<void> upload_file(Service& service, Exchange& exchange);
asio::awaitable<void> show_file_content(Service& service, Exchange& exchange);

// Questions that one object of JSON answers, by file: to the model on the thread that asks, or to
// the files on the disk's.
Result<Json> tokens_of(Exchange& exchange, const Served& served);
Result<Json> text_of(Exchange& exchange, const Served& served);
Result<Json> message_tokens(Exchange& exchange, const Served& served);
Result<Json> all_files(FilesService& files, Exchange& exchange);
Result<Json> one_file(FilesService& files, Exchange& exchange);
Result<Json> deleted_file(FilesService& files, Exchange& exchange);
Result<Json> created_batch(FilesService& files, Exchange& exchange);
Result<Json> all_batches(FilesService& files, Exchange& exchange);
Result<Json> one_batch(FilesService& files, Exchange& exchange);
Result<Json> cancelled_batch(FilesService& files, Exchange& exchange);

using ModelQuestion = Result<Json> (*)(Exchange& exchange, const Served& served);
using FilesQuestion = Result<Json> (*)(FilesService& files, Exchange& exchange);
asio::awaitable<void> answer_from_model(Service& service, Exchange& exchange,
                                        ModelQuestion question);
asio::awaitable<void> answer_from_files(Service& service, Exchange& exchange,
                                        FilesQuestion question);

/// The handler of such a question: a status that it fails with becomes an error's answer.
template <ModelQuestion question>
asio::awaitable<void> ask(Service& service, Exchange& exchange) {
  return answer_from_model(service, exchange, question);
}
template <FilesQuestion question>
asio::awaitable<void> ask(Service& service, Exchange& exchange) {
  return answer_from_files(service, exchange, question);
}

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
