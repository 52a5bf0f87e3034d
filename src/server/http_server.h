// The listening socket, the threads that serve it, and what all connections share. Between a
// command, which makes one, and the routes that it is given; it knows no API.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/access_log.h"
#include "server/http_types.h"
#include "server/keys/api_keys.h"
#include "server/keys/key_limits.h"
#include "server/metrics/http_counts.h"
#include "server/route.h"
#include "server/tls/tls_context.h"

namespace strata::server {

struct HttpConfig {
  std::string host = "127.0.0.1";
  int port = 8000;                             // 0: any that is free
  std::string uds;                             // path of a Unix socket instead of host and port
  std::shared_ptr<const TlsContext> tls = {};  // null: plain HTTP
  int threads = 2;
  HttpLimits limits = {};
  ApiKeys keys = {};  // none: every route is open
  /// Hosts that requests may name beside this machine's own names; "*": any.
  std::vector<std::string> allowed_hosts = {};
  std::vector<std::string> allowed_origins = {};  // "*": any
  std::function<void(const AccessEntry&)> log = {};
  KeyLimits* key_limits = nullptr;  // outlives the server; null: keys ask for what they like
  HttpCounts* counts = nullptr;     // outlives the server; null: nothing is counted
};

/// Names that mean this machine alone.
bool is_loopback(std::string_view host);

class HttpServer {
 public:
  /// Listens, and answers from threads of its own at once. `routes` and `service` must outlive it.
  /// kUnavailable where the address is taken or not this machine's.
  static Result<std::unique_ptr<HttpServer>> start(HttpConfig config, std::span<const Route> routes,
                                                   Service& service);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  /// Ends every connection and its threads. What handlers still refer to must live until then.
  ~HttpServer();

  /// "http://127.0.0.1:8000", with the port that was taken.
  const std::string& url() const;
  int64_t connections() const;
  /// From any thread: no new connections; open ones end with the answer that is under way.
  void drain();
  /// After drain(): true once every connection has ended, false where some have not within so long.
  bool wait_until_empty(std::chrono::milliseconds patience);
  /// `call` runs on a thread of the server's at SIGINT or SIGTERM; a second signal ends the
  /// process.
  void on_signal(std::function<void()> call);
  /// At SIGHUP connections that come from then on have the context that `make` gives; where it
  /// fails, which the log says, they have the one before.
  using MakeTls = std::function<Result<std::shared_ptr<const TlsContext>>()>;
  void renew_tls_at_hangup(MakeTls make);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace strata::server
