// A linear search: the table is short.
#include "server/route.h"

#include <algorithm>
#include <optional>

namespace strata::server {
namespace {

constexpr std::string_view kRest = "{id}";
constexpr std::string_view kPart = "{part}";

std::optional<std::string> match_part(std::string_view pattern, std::string_view path) {
  const size_t at = pattern.find(kPart);
  const std::string_view behind = pattern.substr(at + kPart.size());
  if (!path.starts_with(pattern.substr(0, at)) || !path.substr(at).ends_with(behind)) return {};
  const std::string_view part = path.substr(at, path.size() - at - behind.size());
  if (part.empty() || part.contains('/')) return {};
  return std::string(part);
}

// What "{id}" or "{part}" stands for, empty where the route has none; nullopt where the path is
// another one.
std::optional<std::string> match(const Route& route, std::string_view path) {
  if (route.path.contains(kPart)) return match_part(route.path, path);
  if (!route.path.ends_with(kRest)) {
    return route.path == path ? std::optional<std::string>("") : std::nullopt;
  }
  const std::string_view start = route.path.substr(0, route.path.size() - kRest.size());
  if (!path.starts_with(start) || path.size() == start.size()) return std::nullopt;
  return std::string(path.substr(start.size()));
}

}  // namespace

ErrorForm error_form(std::span<const Route> routes, std::string_view path) {
  const auto found = std::ranges::find_if(
      routes, [&](const Route& route) { return match(route, path).has_value(); });
  return found == routes.end() ? ErrorForm::kOpenAi : found->errors;
}

std::expected<FoundRoute, HttpError> find_route(std::span<const Route> routes, const Head& head) {
  FoundRoute found;
  const std::string_view wanted = head.method == "HEAD" ? "GET" : std::string_view(head.method);
  for (const Route& route : routes) {
    auto id = match(route, head.path);
    if (!id) continue;
    found.allowed += std::string(route.method) + (route.method == "GET" ? ", HEAD, " : ", ");
    if (route.method != wanted) continue;
    found.route = &route;
    found.id = std::move(*id);
  }
  const bool options = head.method == "OPTIONS";
  if (found.allowed.empty() && !(options && head.path == "*")) {
    return std::unexpected(HttpError{404, "route_not_found", "no such route"});
  }
  found.allowed += "OPTIONS";
  if (found.route != nullptr || options) return found;
  return std::unexpected(HttpError{
      405, "method_not_allowed", "this route takes " + found.allowed, {{"Allow", found.allowed}}});
}

}  // namespace strata::server
