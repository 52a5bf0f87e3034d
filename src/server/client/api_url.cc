// Scheme, authority, path.
#include "server/client/api_url.h"

#include <fmt/core.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>

namespace strata::server {
namespace {

constexpr std::string_view kHttp = "http://", kHttps = "https://", kUnix = "unix:";

std::unexpected<Status> bad_url(std::string_view text) {
  return fail(Code::kInvalidArgument, "--url", fmt::format("\"{}\"", text),
              "http://HOST:PORT, https://HOST:PORT or unix:PATH");
}

bool is_port(std::string_view text) {
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  return !text.empty() && text.size() <= 5 && std::ranges::all_of(text, digit);
}

bool is_host(std::string_view text) {
  const auto plain = [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '@' && c != '"'; };
  return !text.empty() && std::ranges::all_of(text, plain);
}

std::string prefix_of(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with("/v1")) path.remove_suffix(3);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

}  // namespace

std::string ApiUrl::authority() const {
  if (host.empty()) return "localhost";
  return fmt::format(fmt::runtime(host.contains(':') ? "[{}]:{}" : "{}:{}"), host, port);
}

Result<ApiUrl> parse_api_url(std::string_view text) {
  ApiUrl url;
  if (text.starts_with(kUnix)) {
    url.socket = text.substr(kUnix.size());
    const bool fits = url.socket.size() < sizeof(sockaddr_un::sun_path);
    if (url.socket.empty() || !fits) return bad_url(text);
    return url;
  }
  std::string_view rest = text;
  url.tls = rest.starts_with(kHttps);
  if (url.tls) rest.remove_prefix(kHttps.size());
  if (!url.tls && rest.starts_with(kHttp)) rest.remove_prefix(kHttp.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  url.prefix = prefix_of(rest.substr(slash));
  std::string_view authority = rest.substr(0, slash);
  const size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string_view::npos) return bad_url(text);
  const size_t colon = authority.find(':', bracket);
  url.port = url.tls ? "443" : "80";
  if (colon != std::string_view::npos) url.port = authority.substr(colon + 1);
  std::string_view host = authority.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  url.host = host;
  const bool odd = url.prefix.find_first_of(" ?#") != std::string::npos;
  if (!is_host(url.host) || !is_port(url.port) || odd) return bad_url(text);
  return url;
}

}  // namespace strata::server
