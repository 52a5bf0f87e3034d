// One connection from its first byte to its last: heads, checks, bodies, handlers, in that order,
// request after request. Between the link and the table of routes.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <span>
#include <string>

#include "server/http_server.h"
#include "server/link.h"
#include "server/route.h"

namespace strata::server {

/// What connections share; the same for all of them but for the counts.
struct ConnectionContext {
  const HttpConfig& config;
  std::span<const Route> routes;
  Service& service;
  bool any_host = false;
  std::atomic<int64_t> body_bytes = 0;
};

asio::awaitable<void> serve_connection(std::shared_ptr<Link> link, std::string peer,
                                       ConnectionContext& context);

/// Says that there are too many, where no TLS has to come first, and ends.
asio::awaitable<void> refuse_connection(std::shared_ptr<Link> link);

}  // namespace strata::server
