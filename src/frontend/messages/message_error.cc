// Two tables: statuses to words, names to names.
#include "frontend/messages/message_error.h"

#include <algorithm>
#include <utility>

#include "frontend/dialects/field_names.h"

namespace strata::frontend {
namespace {

constexpr std::pair<int, std::string_view> kTypes[] = {
    {401, "authentication_error"}, {403, "permission_error"}, {404, "not_found_error"},
    {413, "request_too_large"},    {429, "rate_limit_error"}, {503, "overloaded_error"},
};

constexpr FieldName kNames[] = {
    {"stop", "stop_sequences"},
    {"response_format.json_schema", "output_config.format"},
    {"response_format", "output_config.format"},
    {"chat_template_kwargs.enable_thinking", "thinking"},
};

// What clients of this API look for when they decide to shorten a prompt.
constexpr std::string_view kTooLong = "prompt is too long";

std::string_view error_type(int http_status) {
  const auto* found =
      std::ranges::find(kTypes, http_status, &std::pair<int, std::string_view>::first);
  if (found != std::end(kTypes)) return found->second;
  return http_status < 499 ? "invalid_request_error" : "api_error";
}

}  // namespace

Json message_error(int http_status, std::string_view message) {
  return {{"type", "error"}, {"error", {{"type", error_type(http_status)}, {"message", message}}}};
}

Status in_message_words(Status status) {
  status.what = rename_field(rename_tool_field(status.what, "input_schema"), kNames);
  if (!status.what.starts_with("This model's maximum context length")) return status;
  return std::move(status).with_context(kTooLong);
}

}  // namespace strata::frontend
