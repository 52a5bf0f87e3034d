// For tests: a server of a few routes on a free port, asked through plain sockets.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "server/http_server.h"
#include "server/test_client.h"

namespace strata::server::testing {

template <class TestService>
class RoutesTest : public ::testing::Test {
 protected:
  explicit RoutesTest(std::span<const Route> routes) : routes_(routes) {}
  /// In place of the server that runs.
  void start(HttpConfig config) {
    server_.reset();
    if (config.uds.empty()) config.port = 0;
    auto made = HttpServer::start(std::move(config), routes_, service_);
    ASSERT_TRUE(made) << made.error().message();
    server_ = std::move(*made);
  }
  int port() const {
    const std::string& url = server_->url();
    return std::atoi(url.substr(url.rfind(':') + 1).c_str());
  }
  Answer ask(const std::string& text) const {
    Client client(port());
    client.send(text);
    return client.read();
  }

  TestService service_;
  std::unique_ptr<HttpServer> server_;

 private:
  std::span<const Route> routes_;
};

}  // namespace strata::server::testing
