// The table, and what all handlers answer with.
#include "server/api_routes.h"

#include <fmt/core.h>

#include <utility>

#include "frontend/api_error.h"

namespace strata::server {
namespace {

constexpr JsonLimits kBodyLimits = {.max_bytes = 16 << 20, .max_depth = 64, .max_values = 500'000};

constexpr Route kRoutes[] = {
    {"GET", "/livez", livez, false},
    {"GET", "/readyz", readyz, false},
    {"GET", "/health", readyz, false},
    {"GET", "/metrics", show_metrics},
    {"GET", "/version", version},
    {"GET", "/v1/models", list_models},
    {"GET", "/v1/models/{id}", show_model},
    {"POST", "/v1/chat/completions", chat_completions},
    {"POST", "/v1/completions", completions},
    {"POST", "/tokenize", tokenize},
    {"POST", "/detokenize", detokenize},
    {"POST", "/v1/files", upload_file, true, BodyKind::kForm},
    {"GET", "/v1/files", list_files},
    {"GET", "/v1/files/{part}", show_file},
    {"DELETE", "/v1/files/{part}", delete_file},
    {"GET", "/v1/files/{part}/content", show_file_content},
    {"POST", "/v1/batches", create_batch},
    {"GET", "/v1/batches", list_batches},
    {"GET", "/v1/batches/{part}", show_batch},
    {"POST", "/v1/batches/{part}/cancel", cancel_batch},
};

}  // namespace

std::span<const Route> api_routes() { return kRoutes; }

Reply json_reply(const Json& body, int status) {
  return {.status = status,
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

Reply status_reply(const Status& status) {
  const int number = status.code == Code::kUnavailable ? 503 : frontend::http_status(status.code);
  Reply reply = json_reply(frontend::error_body(status), number);
  if (number == 429 || number == 503) reply.fields.push_back({"Retry-After", "1"});
  return reply;
}

Reply unavailable_reply(const ApiService& service) {
  const std::string why =
      service.draining()
          ? "the server is ending"
          : fmt::format("the model is still loading: {:.0f} % is there", 100 * service.progress());
  return error_reply({503, service.draining() ? "ending" : "loading", why, {{"Retry-After", "1"}}});
}

Result<Json> read_json(Exchange& exchange) {
  const std::string body = exchange.take_body();
  return parse_json_object(body, "the body", kBodyLimits);
}

}  // namespace strata::server
