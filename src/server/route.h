// The table of routes: who answers which method and path. Nothing here reads a socket or a body.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "server/http_types.h"
#include "server/keys/key_limits.h"

namespace strata::server {

class Exchange;

/// What the handlers of a table share: their own type's base, which the server only passes on.
class Service {
 protected:
  ~Service() = default;
};

using Handler = boost::asio::awaitable<void> (*)(Service& service, Exchange& exchange);

/// kForm: multipart/form-data of any size, which the handler takes piece by piece.
enum class BodyKind : uint8_t { kJson, kForm };

struct Route {
  std::string_view method;  // GET also answers HEAD
  /// "/v1/models/{id}": {id} is the rest of the path. "/v1/files/{part}/content": {part} has no
  /// slash. Of two routes with a method that match, the later one is taken.
  std::string_view path;
  Handler handler = nullptr;
  bool needs_key = true;
  ErrorForm errors = ErrorForm::kOpenAi;
  BodyKind body = BodyKind::kJson;
  LimitKind limit = LimitKind::kNone;
};

struct FoundRoute {
  const Route* route = nullptr;  // null: OPTIONS, answered by `allowed` alone
  std::string id;
  std::string allowed;  // methods of this path: "GET, HEAD, OPTIONS"
};

/// Of the routes with this path.
ErrorForm error_form(std::span<const Route> routes, std::string_view path);

/// 404 where no route has the path, 405 with Allow where none of its methods is asked for.
std::expected<FoundRoute, HttpError> find_route(std::span<const Route> routes, const Head& head);

}  // namespace strata::server
