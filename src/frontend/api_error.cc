// The two tables: codes to numbers, codes to OpenAI's words.
#include "frontend/api_error.h"

#include <algorithm>

namespace strata::frontend {
namespace {

// The sentence that clients look for when they decide to shorten a prompt.
constexpr std::string_view kTooLong = "This model's maximum context length";

std::string_view error_type(Code code) {
  const int status = http_status(code);
  if (status == 429) return "rate_limit_error";
  if (status >= 500) return "server_error";
  return "invalid_request_error";
}

Json error_code(const Status& status) {
  if (status.what.contains(kTooLong)) return "context_length_exceeded";
  if (status.code == Code::kNotFound && status.what == "model") return "model_not_found";
  return code_name(status.code);
}

// "logit_bias: 5: ..." names the field logit_bias; a sentence names none.
Json error_param(const Status& status) {
  const std::string name = status.what.substr(0, status.what.find_first_of(":[. "));
  const bool field = !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  const bool sentence = name.size() < status.what.size() && status.what[name.size()] == ' ';
  if (name == "ids") return "prompt";  // the engine's name of what stands there in a body
  return field && !sentence ? Json(name) : Json();
}

}  // namespace

int http_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kInvalidData:
    case Code::kUnsupported:
    case Code::kResourceLimit:
      return 400;
    case Code::kNotFound:
      return 404;
    case Code::kBusy:
      return 429;
    case Code::kCancelled:
      return 499;
    case Code::kIo:
    case Code::kUnavailable:
      return 500;
  }
  return 500;
}

Json error_body(const Status& status) {
  return {{"error",
           {{"message", status.message()},
            {"type", error_type(status.code)},
            {"param", error_param(status)},
            {"code", error_code(status)}}}};
}

}  // namespace strata::frontend
