// The table, and what all handlers answer with.
#include "server/api_routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "frontend/api_error.h"
#include "frontend/messages/message_error.h"

namespace strata::server {
namespace {

constexpr JsonLimits kBodyLimits = {.max_bytes = 16 << 20, .max_depth = 64, .max_values = 500'000};

constexpr size_t kMaxListed = 1024;  // bytes of a header

constexpr Route limited(Route route, LimitKind kind) {
  route.limit = kind;
  return route;
}

// A route whose requests are counted, and one that also takes a seat and tokens.
constexpr Route counted(Route route) { return limited(route, LimitKind::kRequest); }
constexpr Route answers(Route route) { return limited(route, LimitKind::kAnswer); }

constexpr Route kRoutes[] = {
    {"GET", "/", show_page, false},
    {"GET", "/livez", livez, false},
    {"GET", "/readyz", readyz, false},
    {"GET", "/health", readyz, false},
    {"GET", "/metrics", show_metrics},
    {"GET", "/version", version},
    {"GET", "/v1/models", list_models},
    {"GET", "/v1/models/{id}", show_model},
    answers({"POST", "/v1/chat/completions", chat_completions}),
    answers({"POST", "/v1/completions", completions}),
    answers({"POST", "/v1/responses", responses}),
    answers({"POST", "/v1/messages", messages, true, ErrorForm::kAnthropic}),
    counted(
        {"POST", "/v1/messages/count_tokens", ask<message_tokens>, true, ErrorForm::kAnthropic}),
    counted({"POST", "/tokenize", ask<tokens_of>}),
    counted({"POST", "/detokenize", ask<text_of>}),
    {"POST", "/v1/files", upload_file, true, ErrorForm::kOpenAi, BodyKind::kForm},
    {"GET", "/v1/files", ask<all_files>},
    {"GET", "/v1/files/{part}", ask<one_file>},
    {"DELETE", "/v1/files/{part}", ask<deleted_file>},
    {"GET", "/v1/files/{part}/content", show_file_content},
    counted({"POST", "/v1/batches", ask<created_batch>}),
    {"GET", "/v1/batches", ask<all_batches>},
    {"GET", "/v1/batches/{part}", ask<one_batch>},
    {"POST", "/v1/batches/{part}/cancel", ask<cancelled_batch>},
};

// As far as a header can hold them.
std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const bool plain = std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!plain || text.size() + name.size() > kMaxListed) continue;
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

std::span<const Route> api_routes() { return kRoutes; }

Reply json_reply(const Json& body, int status) {
  return {.status = status,
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

Reply status_reply(const Status& status, ErrorForm form) {
  const int number = status.code == Code::kUnavailable ? 503 : frontend::http_status(status.code);
  Reply reply =
      json_reply(form == ErrorForm::kOpenAi ? frontend::error_body(status)
                                            : frontend::message_error(number, status.message()),
                 number);
  if (number == 429 || number == 503) reply.fields.push_back({"Retry-After", "1"});
  return reply;
}

Reply unavailable_reply(const ApiService& service, ErrorForm form) {
  const std::string why =
      service.draining()
          ? "the server is ending"
          : fmt::format("the model is still loading: {:.0f} % is there", 100 * service.progress());
  return error_reply({503, service.draining() ? "ending" : "loading", why, {{"Retry-After", "1"}}},
                     form);
}

Result<Json> read_json(Exchange& exchange) {
  const std::string body = exchange.take_body();
  return parse_json_object(body, "the body", kBodyLimits);
}

void list_ignored(const std::vector<std::string>& names, Exchange& exchange) {
  std::string text = listed(names);
  if (!text.empty()) exchange.add_field({"x-strata-ignored-fields", std::move(text)});
}

}  // namespace strata::server
