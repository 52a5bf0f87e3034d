// Names that compare without case, the error object, reason phrases.
#include "server/http_types.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "frontend/messages/message_error.h"

namespace strata::server {
namespace {

constexpr std::pair<int, std::string_view> kReasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string_view error_type(int status) {
  if (status == 429) return "rate_limit_error";
  if (status == 503) return "unavailable";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

Json openai_error(const HttpError& error) {
  return {{"error",
           {{"message", error.message},
            {"type", error_type(error.status)},
            {"param", nullptr},
            {"code", error.code}}}};
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

const std::string* Head::field(std::string_view name) const {
  const auto found =
      std::ranges::find_if(fields, [&](const Field& one) { return same_name(one.name, name); });
  return found == fields.end() ? nullptr : &found->value;
}

std::string_view reason_phrase(int status) {
  const auto* found = std::ranges::find(kReasons, status, &std::pair<int, std::string_view>::first);
  return found == std::end(kReasons) ? "Error" : found->second;
}

Reply error_reply(const HttpError& error, ErrorForm form) {
  const Json body = form == ErrorForm::kOpenAi
                        ? openai_error(error)
                        : frontend::message_error(error.status, error.message);
  return {.status = error.status,
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n",
          .fields = error.fields};
}

}  // namespace strata::server
