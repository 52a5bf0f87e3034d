// The client against a server of ours over real sockets: answers whole and in events, and all that
// a connection may come to. What other servers send is in the readers' own cases.
#include "server/client/api_client.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>
#include <vector>

#include "server/exchange.h"
#include "server/http_server.h"

namespace strata::server {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> events_of(const std::vector<std::string>& pieces) {
  std::vector<std::string> events;
  SseReader reader;
  const EventSink sink = [&](std::string_view data) { events.emplace_back(data); };
  for (const std::string& piece : pieces) reader.feed(piece, sink);
  return events;
}

TEST(SseReaderTest, JoinsPiecesAndPassesOverTheRest) {
  const std::vector<std::string> expected = {"{\"a\": 1}", "one\ntwo", "[DONE]"};
  const std::string stream =
      ": ping\n\nevent: x\ndata: {\"a\": 1}\n\nid: 4\r\ndata:one\r\ndata: two\r\n\r\n\n"
      "data: [DONE]\n\ndata: never ended";
  EXPECT_EQ(events_of({stream}), expected);
  std::vector<std::string> letters;
  for (const char c : stream) letters.emplace_back(1, c);
  EXPECT_EQ(events_of(letters), expected);
}

TEST(SseReaderTest, GivesUpOnAnEventWithoutEnd) {
  SseReader reader;
  const EventSink sink = [](std::string_view) { ADD_FAILURE(); };
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 20; i++) reader.feed(piece, sink);
  EXPECT_TRUE(reader.too_long());
}

TEST(ApiUrlTest, TakesAddressesApart) {
  const auto plain = parse_api_url("http://example.org:8000");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "example.org");
  EXPECT_EQ(plain->port, "8000");
  EXPECT_EQ(plain->prefix, "");
  EXPECT_EQ(plain->authority(), "example.org:8000");
  EXPECT_EQ(parse_api_url("http://h:1/v1/")->prefix, "");
  EXPECT_EQ(parse_api_url("http://h:1/base/v1")->prefix, "/base");
  EXPECT_EQ(parse_api_url("127.0.0.1")->port, "80");
  EXPECT_EQ(parse_api_url("http://[::1]:9")->host, "::1");
  EXPECT_EQ(parse_api_url("http://[::1]:9")->authority(), "[::1]:9");
  EXPECT_EQ(parse_api_url("unix:/a/b")->socket, "/a/b");
  EXPECT_FALSE(plain->tls);
  EXPECT_TRUE(parse_api_url("https://h:1")->tls);
  EXPECT_EQ(parse_api_url("https://h")->port, "443");
  for (const char* bad : {"", "http://", "http://h:", "http://h:x", "http://a b:1", "http://[::1",
                          "http://u@h:1", "unix:", "http://h:1/a?b", "https://"}) {
    const auto url = parse_api_url(bad);
    ASSERT_FALSE(url) << bad;
    EXPECT_EQ(url.error().what, "--url") << bad;
  }
}

class NoService : public Service {};

asio::awaitable<void> echo(Service&, Exchange& exchange) {
  Reply reply;
  reply.status = 201;
  reply.body = exchange.take_body();
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> stream(Service&, Exchange& exchange) {
  co_await exchange.begin_stream();
  co_await exchange.send("data: one\n\n: ping\n\nda");
  co_await exchange.send("ta: two\n\n");
  co_await exchange.end_stream();
}

// Never ends by itself.
asio::awaitable<void> hold(Service&, Exchange& exchange) {
  co_await exchange.begin_stream();
  co_await exchange.send("data: one\n\n");
  const auto signal = exchange.make_signal();
  while (co_await exchange.wait(*signal, 1h) != Wake::kGone) {
  }
}

constexpr Route kRoutes[] = {
    {"POST", "/base/echo", echo}, {"GET", "/base/stream", stream}, {"GET", "/base/hold", hold}};

class ApiClientTest : public ::testing::Test {
 protected:
  ApiClientTest() {
    HttpConfig config;
    config.port = 0;
    config.keys.add("secret");
    config.limits.idle_timeout = 1s;
    auto started = HttpServer::start(std::move(config), kRoutes, service_);
    EXPECT_TRUE(started) << started.error().message();
    server_ = std::move(*started);
    config_ = {.url = *parse_api_url(server_->url() + "/base"), .key = "secret"};
  }
  static asio::awaitable<void> run_call(ApiClient& client, ApiCall call, const EventSink& sink,
                                        ApiAnswer& answer) {
    answer = co_await client.call(std::move(call), sink);
  }
  ApiAnswer call(ApiClient& client, ApiCall call) {
    ApiAnswer answer;
    const EventSink sink = [&](std::string_view data) {
      events_.emplace_back(data);
      if (stop_at_event_) client.stop();
    };
    asio::co_spawn(io_, run_call(client, std::move(call), sink, answer), asio::detached);
    io_.restart();
    io_.run();
    return answer;
  }

  NoService service_;
  std::unique_ptr<HttpServer> server_;
  asio::io_context io_;
  ApiClient::Config config_;
  std::vector<std::string> events_;
  bool stop_at_event_ = false;
};

TEST_F(ApiClientTest, AsksAgainAndAgainOnOneConnection) {
  ApiClient client(io_.get_executor(), config_);
  const std::string large(300'000, 'x');
  for (const std::string& body : {std::string("{}"), large, std::string("3")}) {
    const ApiAnswer got = call(client, {.method = "POST", .path = "/echo", .body = body});
    EXPECT_EQ(got.fault, CallFault::kNone) << got.detail;
    EXPECT_EQ(got.status, 201);
    EXPECT_EQ(got.body, body);
  }
  EXPECT_EQ(call(client, {.path = "/stream"}).status, 200);
  EXPECT_EQ(events_, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(call(client, {.path = "/none"}).status, 404);
  EXPECT_EQ(server_->connections(), 1);
  while (server_->connections() > 0) std::this_thread::yield();  // it was idle for too long
  EXPECT_EQ(call(client, {.method = "POST", .path = "/echo", .body = "4"}).body, "4");
}

TEST_F(ApiClientTest, SaysWhatWentWrong) {
  ApiClient client(io_.get_executor(), config_);
  stop_at_event_ = true;
  EXPECT_EQ(call(client, {.path = "/hold"}).fault, CallFault::kClosed);
  stop_at_event_ = false;
  while (server_->connections() > 0) std::this_thread::yield();  // the server noticed
  EXPECT_EQ(call(client, {.path = "/stream"}).fault, CallFault::kNone);

  config_.patience = 20ms;
  EXPECT_EQ(call(client, {.path = "/hold"}).fault, CallFault::kTimeout);
  config_.patience = 60s;
  config_.key = "wrong";
  EXPECT_EQ(call(client, {.path = "/stream"}).status, 401);
  server_.reset();
  const ApiAnswer refused = call(client, {.path = "/stream"});
  EXPECT_EQ(refused.fault, CallFault::kConnect);
  EXPECT_EQ(refused.status, 0);
}

}  // namespace
}  // namespace strata::server
