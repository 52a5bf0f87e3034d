// Request line, fields, then what the fields say together.
#include "server/http_head.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "base/status.h"

namespace strata::server {
namespace {

constexpr std::string_view kMethods[] = {"GET",   "HEAD",    "POST",  "PUT",    "DELETE",
                                         "PATCH", "OPTIONS", "TRACE", "CONNECT"};
constexpr std::string_view kWithBody[] = {"POST", "PUT", "PATCH"};
constexpr std::string_view kLineEnd = "\r\n";
constexpr size_t kMaxLengthDigits = 18;

std::unexpected<HttpError> refuse(int status, std::string code, std::string message) {
  return std::unexpected(HttpError{status, std::move(code), std::move(message)});
}

std::unexpected<HttpError> bad(std::string message) {
  return refuse(400, "bad_request", std::move(message));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_token(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

bool is_visible(char c) { return c > 0x20 && c < 0x7f; }

// A field's value may also hold spaces, tabs and bytes beyond ASCII.
bool is_value(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::expected<std::string, HttpError> decoded(std::string_view path) {
  std::string made;
  for (size_t i = 0; i < path.size(); i++) {
    if (path[i] != '%') {
      made += path[i];
      continue;
    }
    const int high = i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_value(path[i + 2]);
    if (low < 0) return bad("the path has an escape that is not %XX");
    const char c = static_cast<char>(16 * high + low);
    if (!is_visible(c)) return bad("the path has an escaped character that no route has");
    made += c;
    i += 2;
  }
  return made;
}

// A path that another reader could take for a different one is refused, not tidied.
std::expected<std::string, HttpError> plain_path(std::string_view target) {
  std::string path = TRY(decoded(target.substr(0, target.find_first_of("?#"))));
  if (path.contains('\\')) return bad("the path has a backslash");
  std::string_view rest = std::string_view(path).substr(1);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    if (segment.empty() || segment == "." || segment == "..") {
      return bad("the path has an empty, \".\" or \"..\" segment");
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return path;
}

std::expected<void, HttpError> read_target(std::string_view target, const HttpLimits& limits,
                                           Head& head) {
  if (target.size() > limits.target_bytes) {
    return refuse(414, "uri_too_long",
                  fmt::format("the target is longer than {} bytes", limits.target_bytes));
  }
  if (!std::ranges::all_of(target, is_visible)) return bad("the target has characters to escape");
  head.target = target;
  if (target == "*" && head.method == "OPTIONS") {
    head.path = "*";
    return {};
  }
  if (!target.starts_with('/')) return bad("the target must be a path that begins with \"/\"");
  head.path = TRY(plain_path(target));
  return {};
}

std::expected<void, HttpError> read_version(std::string_view version, Head& head) {
  if (version == "HTTP/1.1") return {};
  if (version == "HTTP/1.0") {
    head.http11 = head.keep_alive = false;
    return {};
  }
  if (!version.starts_with("HTTP/")) return bad("the request line does not end in HTTP/1.1");
  return refuse(505, "version_not_supported", "this server speaks HTTP/1.1");
}

std::expected<void, HttpError> read_request_line(std::string_view line, const HttpLimits& limits,
                                                 Head& head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return bad("the request line is not METHOD TARGET HTTP/1.1");
  }
  head.method = line.substr(0, first);
  if (head.method.empty() || !std::ranges::all_of(head.method, is_token)) {
    return bad("the method is no word");
  }
  TRY(read_version(line.substr(last + 1), head));
  if (std::ranges::find(kMethods, head.method) == std::end(kMethods)) {
    return refuse(501, "method_not_implemented", "no such method is known");
  }
  return read_target(line.substr(first + 1, last - first - 1), limits, head);
}

std::expected<void, HttpError> read_field(std::string_view line, const HttpLimits& limits,
                                          Head& head) {
  if (line.size() > limits.line_bytes) {
    return refuse(431, "header_too_large",
                  fmt::format("a header field is longer than {} bytes", limits.line_bytes));
  }
  if (head.fields.size() == limits.fields) {
    return refuse(431, "too_many_headers", fmt::format("more than {} fields", limits.fields));
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 ||
      !std::ranges::all_of(line.substr(0, colon), is_token)) {
    return bad("a header field is not NAME: VALUE on one line");
  }
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!std::ranges::all_of(value, is_value)) return bad("a header field has control characters");
  head.fields.push_back({std::string(line.substr(0, colon)), std::string(value)});
  return {};
}

size_t count_of(const Head& head, std::string_view name) {
  return static_cast<size_t>(std::ranges::count_if(
      head.fields, [&](const Field& field) { return same_name(field.name, name); }));
}

std::expected<void, HttpError> read_length(const HttpLimits& limits, Head& head) {
  const std::string& text = *head.field("content-length");
  if (text.empty() || !std::ranges::all_of(text, is_digit)) {
    return bad("Content-Length is no number of bytes");
  }
  const bool huge = text.size() > kMaxLengthDigits;
  if (!huge) std::from_chars(text.data(), text.data() + text.size(), head.content_length);
  const size_t most = std::max(limits.body_bytes, limits.upload_bytes);
  if (!huge && head.content_length <= most) return {};
  return refuse(413, "body_too_large", fmt::format("the body is larger than {} bytes", most));
}

std::expected<void, HttpError> read_framing(const HttpLimits& limits, Head& head) {
  const size_t lengths = count_of(head, "content-length");
  const size_t codings = count_of(head, "transfer-encoding");
  if (lengths > 1) return bad("Content-Length stands twice");
  if (lengths + codings > 1 || (codings > 0 && !head.http11)) {
    return bad("the length of the body is said in two ways, or in a way that HTTP/1.0 lacks");
  }
  if (codings > 0) {
    if (!same_name(*head.field("transfer-encoding"), "chunked")) {
      return refuse(501, "unknown_transfer_coding", "only Transfer-Encoding: chunked is known");
    }
    head.chunked = true;
  }
  if (lengths > 0) return read_length(limits, head);
  if (codings > 0 || std::ranges::find(kWithBody, head.method) == std::end(kWithBody)) return {};
  return refuse(411, "length_required", "a body needs Content-Length");
}

std::expected<void, HttpError> read_connection(Head& head) {
  if (const std::string* wish = head.field("connection")) {
    if (same_name(*wish, "close")) head.keep_alive = false;
    if (same_name(*wish, "keep-alive")) head.keep_alive = true;
  }
  const size_t hosts = count_of(head, "host");
  if (hosts > 1 || (hosts == 0 && head.http11)) return bad("there must be one Host");
  const std::string* expect = head.field("expect");
  if (expect != nullptr && !same_name(*expect, "100-continue")) {
    return refuse(417, "unknown_expectation", "only Expect: 100-continue is known");
  }
  head.expects_continue = expect != nullptr && head.http11;
  const std::string* coding = head.field("content-encoding");
  if (coding == nullptr || same_name(*coding, "identity")) return {};
  return refuse(415, "content_encoding", "bodies must not be compressed");
}

}  // namespace

std::optional<HttpError> check_head_start(std::string_view received, const HttpLimits& limits) {
  constexpr char kTlsHandshake = 0x16;  // RFC 8446, section 5.1
  if (received.starts_with(kTlsHandshake)) {
    return HttpError{400, std::string(kTlsOnPlainPort),
                     "this port speaks plain HTTP: use http:// in place of https://"};
  }
  for (size_t at = 0; at < received.size(); at++) {
    const char before = at == 0 ? '\0' : received[at - 1];
    if ((received[at] == '\n') != (before == '\r')) {
      return HttpError{400, "bad_request", "a line does not end in CR LF"};
    }
  }
  if (!received.empty() && !is_token(received.front())) {
    return HttpError{400, "bad_request", "this is not HTTP"};
  }
  const size_t end = received.find(kLineEnd);
  if (end == std::string_view::npos) {
    if (received.size() <= limits.target_bytes + 64) return {};
    return HttpError{414, "uri_too_long", "the request line is too long"};
  }
  Head head;
  auto line = read_request_line(received.substr(0, end), limits, head);
  if (!line) return std::move(line).error();
  return {};
}

std::expected<Head, HttpError> parse_head(std::string_view text, const HttpLimits& limits) {
  if (auto fault = check_head_start(text, limits)) return std::unexpected(std::move(*fault));
  Head head;
  size_t end = text.find(kLineEnd);
  TRY(read_request_line(text.substr(0, end), limits, head));
  text.remove_prefix(end + kLineEnd.size());
  while (!text.starts_with(kLineEnd)) {
    end = text.find(kLineEnd);
    if (end == std::string_view::npos) return bad("the head does not end in an empty line");
    TRY(read_field(text.substr(0, end), limits, head));
    text.remove_prefix(end + kLineEnd.size());
  }
  TRY(read_connection(head));
  TRY(read_framing(limits, head));
  return head;
}

}  // namespace strata::server
