// A server with routes of the test's own, over real sockets: framing, limits, clients that are
// slow, gone or too many. A canary request follows whatever was wrong.
#include "server/http_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "base/json.h"
#include "server/client/test_server.h"
#include "server/exchange.h"

namespace strata::server {
namespace {

using namespace std::chrono_literals;
using testing::Answer;
using testing::Client;
using testing::get;
using testing::post;

// What the routes of this test share.
class TestService : public Service {
 public:
  std::atomic<int> held = 0;       // handlers that wait
  std::atomic<int> gone = 0;       // of them, those whose client went
  std::atomic<int> signalled = 0;  // of them, those that were woken
  std::mutex mutex;
  std::set<std::shared_ptr<Signal>> signals;

  void release() {
    const std::lock_guard lock(mutex);
    for (const auto& signal : signals) signal->notify();
  }
};

asio::awaitable<void> hello(Service&, Exchange& exchange) {
  Reply reply;
  reply.body = "{\"hello\": 1}";
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> echo(Service&, Exchange& exchange) {
  Reply reply;
  reply.body = exchange.take_body();
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<Wake> hold(Service& shared, Exchange& exchange) {
  auto& service = static_cast<TestService&>(shared);
  const std::shared_ptr<Signal> signal = exchange.make_signal();
  {
    const std::lock_guard lock(service.mutex);
    service.signals.insert(signal);
  }
  service.held++;
  Wake woken = Wake::kTimeout;
  while (woken == Wake::kTimeout) woken = co_await exchange.wait(*signal, 1h);
  service.gone += woken == Wake::kGone;
  service.signalled += woken == Wake::kSignal;
  const std::lock_guard lock(service.mutex);
  service.signals.erase(signal);
  co_return woken;
}

asio::awaitable<void> wait_then_hello(Service& service, Exchange& exchange) {
  const Wake woken = co_await hold(service, exchange);
  if (woken == Wake::kSignal) co_await hello(service, exchange);
}

asio::awaitable<void> stream(Service& service, Exchange& exchange) {
  co_await exchange.begin_stream();
  co_await exchange.send("data: 1\n\n");
  const Wake woken = co_await hold(service, exchange);
  if (woken != Wake::kSignal) co_return;
  co_await exchange.send("data: [DONE]\n\n");
  co_await exchange.end_stream();
}

// More than any buffer of a system holds.
asio::awaitable<void> flood(Service& shared, Exchange& exchange) {
  auto& service = static_cast<TestService&>(shared);
  co_await exchange.begin_stream();
  const std::string piece(1 << 20, 'x');
  bool there = true;
  for (int i = 0; i < 256 && there; i++) there = co_await exchange.send(piece);
  service.gone += !there;
}

constexpr Route kRoutes[] = {
    {"GET", "/hello", hello, false},   {"GET", "/secret", hello},  {"POST", "/echo", echo},
    {"GET", "/wait", wait_then_hello}, {"GET", "/stream", stream}, {"GET", "/flood", flood},
    {"GET", "/models/{id}", hello},
};

class HttpServerTest : public testing::RoutesTest<TestService> {
 protected:
  HttpServerTest() : RoutesTest(kRoutes) {}
  void SetUp() override { start({}); }
  void start_with(HttpLimits limits) {
    HttpConfig config;
    config.limits = limits;
    start(std::move(config));
  }
  int status(const std::string& text) const { return ask(text).status; }
  void expect_canary() const { EXPECT_EQ(status(get("/hello")), 200); }
  template <class Condition>
  static void wait_until(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }
};

std::string code_of(const Answer& answer) {
  const auto body = parse_json_object(answer.body, "body");
  return body ? body->at("error").at("code").get<std::string>() : answer.body;
}

TEST_F(HttpServerTest, AnswersRequestAfterRequestOnOneConnection) {
  Client client(port());
  client.send(get("/hello") + post("/echo", "[1]") + get("/hello", "Connection: close\r\n"));
  EXPECT_EQ(client.read().body, "{\"hello\": 1}");
  EXPECT_EQ(client.read().body, "[1]");
  const Answer last = client.read();
  EXPECT_EQ(last.status, 200);
  EXPECT_TRUE(last.has("Connection: close\r\n"));
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(HttpServerTest, PassesRequestIdsOnAndMakesThem) {
  EXPECT_TRUE(ask(get("/hello", "X-Request-Id: mine-1\r\n")).has("x-request-id: mine-1\r\n"));
  EXPECT_TRUE(ask(get("/hello")).has("x-request-id: req_"));
  EXPECT_TRUE(ask(get("/nowhere")).has("x-request-id: req_"));
  EXPECT_TRUE(ask(get("/hello", "X-Request-Id: " + std::string(129, 'a') + "\r\n")).has(": req_"));
}

TEST_F(HttpServerTest, TakesBodiesByLengthAndByChunks) {
  const std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n";
  EXPECT_EQ(ask(chunked).body, "[1,2]");
  const std::string large(1 << 20, '7');
  EXPECT_EQ(ask(post("/echo", large)).body, large);
  Client slow(port());
  for (const char c : chunked) slow.send(std::string(1, c));
  EXPECT_EQ(slow.read().body, "[1,2]");
  Client waits(port());
  const std::string expecting = post("/echo", "[3]", "Expect: 100-continue\r\n");
  waits.send(expecting.substr(0, expecting.size() - 3));
  EXPECT_TRUE(waits.read_until("\r\n\r\n").starts_with("HTTP/1.1 100 "));
  waits.send("[3]");
  EXPECT_EQ(waits.read().body, "[3]");
}

TEST_F(HttpServerTest, EndsAConnectionWhoseFramingIsWrong) {
  const std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n";
  for (const char* body :
       {"-2\r\n", "G\r\n", "0x5\r\nhello\r\n", "\r\n", "11111111111111111\r\n", "3\r\nabcd\r\n"}) {
    Client client(port());
    client.send(chunked + body + get("/hello"));
    EXPECT_EQ(client.read().status, 400) << body;
    EXPECT_EQ(client.read_all(), "") << body;
  }
  Client both(port());
  both.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
      get("/hello"));
  EXPECT_EQ(both.read().status, 400);
  EXPECT_EQ(both.read_all(), "");
  expect_canary();
}

TEST_F(HttpServerTest, RefusesByNameWhatIsTooLarge) {
  EXPECT_EQ(status(get("/hello", "A: " + std::string(9000, 'a') + "\r\n")), 431);
  std::string fields;
  for (int i = 0; i < 4; i++) fields += "A: " + std::string(5000, 'a') + "\r\n";
  EXPECT_EQ(status(get("/hello", fields)), 431);
  HttpLimits limits;
  limits.body_bytes = 100;
  start_with(limits);
  const Answer answer = ask(post("/echo", std::string(101, ' ')));
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(code_of(answer), "body_too_large");
  EXPECT_EQ(ask("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n65\r\n" +
                std::string(101, ' ') + "\r\n0\r\n\r\n")
                .status,
            413);
  EXPECT_EQ(status(post("/echo", std::string(100, ' '))), 200);
}

TEST_F(HttpServerTest, BoundsWhatAllBodiesHold) {
  HttpLimits limits;
  limits.all_bodies_bytes = 100'000;
  start_with(limits);
  const Answer answer = ask(post("/echo", std::string(200'000, ' ')));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(code_of(answer), "overloaded");
  EXPECT_TRUE(answer.has("Retry-After: 1\r\n"));
  // What a request held comes back behind its answer: who asks at once may be told to try again.
  for (int i = 0; i < 3; i++) {
    int found = 503;
    while (found == 503) found = status(post("/echo", std::string(50'000, ' ')));
    EXPECT_EQ(found, 200);
  }
}

TEST_F(HttpServerTest, NamesRoutesAndMethodsThatItLacks) {
  const Answer lost = ask(get("/nowhere"));
  EXPECT_EQ(lost.status, 404);
  EXPECT_EQ(code_of(lost), "route_not_found");
  EXPECT_EQ(status(get("/hello/")), 404);
  EXPECT_EQ(status(get("/models/")), 404);
  EXPECT_EQ(status(get("/models/org/name")), 200);
  const Answer wrong = ask(post("/hello", "{}"));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_TRUE(wrong.has("Allow: GET, HEAD, OPTIONS\r\n"));
  EXPECT_EQ(status("DELETE /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"), 405);
  Client client(port());
  client.send("HEAD /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string head = client.read_all();
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, GoesOnBehindARefusedRequestThatHasComeWhole) {
  Client client(port());
  client.send(post("/nowhere", "{\"a\": 1}") + get("/hello"));
  const Answer refused = client.read();
  EXPECT_EQ(refused.status, 404);
  EXPECT_FALSE(refused.has("Connection: close\r\n"));
  EXPECT_EQ(client.read().body, "{\"hello\": 1}");
  // What is still to come of another body is never taken for a request.
  const std::string rest = get("/hello");
  const std::string whole = post("/nowhere", "{}" + rest);
  client.send(whole.substr(0, whole.size() - rest.size()));
  EXPECT_TRUE(client.read().has("Connection: close\r\n"));
  client.send(rest);
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(HttpServerTest, SendsAllOfItsAnswerToAClientThatStoppedSending) {
  const std::string large(4 << 20, '7');
  Client client(port());
  client.send(post("/echo", large));
  client.end_sending();
  EXPECT_EQ(client.read().body, large);
  EXPECT_EQ(client.read_all(), "");
}

TEST_F(HttpServerTest, AsksForJsonWhereABodyIsRead) {
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                   "Content-Length: 2\r\n\r\n{}"),
            415);
  EXPECT_EQ(status("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"), 415);
}

TEST_F(HttpServerTest, LetsNobodyInWithoutOneOfTheKeys) {
  HttpConfig config;
  config.keys.add("first");
  config.keys.add("second");
  start(std::move(config));
  const Answer none = ask(get("/secret"));
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(code_of(none), "invalid_api_key");
  EXPECT_TRUE(none.has("WWW-Authenticate: Bearer\r\n"));
  EXPECT_EQ(status(get("/secret", "Authorization: Bearer firs\r\n")), 401);
  EXPECT_EQ(status(get("/secret", "Authorization: first\r\n")), 401);
  EXPECT_EQ(status(get("/secret?api_key=first")), 401);
  EXPECT_EQ(status(get("/secret", "Authorization: Bearer first\r\n")), 200);
  EXPECT_EQ(status(get("/secret", "Authorization: bearer second\r\n")), 200);
  EXPECT_EQ(status(get("/hello")), 200);
  EXPECT_EQ(status(get("/nowhere")), 404);
}

TEST_F(HttpServerTest, ServesOnlyHostsOfThisMachineUnlessTold) {
  const auto from = [](const std::string& host) {
    return "GET /hello HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  };
  EXPECT_EQ(status(from("evil.example")), 403);
  EXPECT_EQ(status(from("localhost.evil.example:80")), 403);
  EXPECT_EQ(status(from("127.0.0.1.evil.example")), 403);
  EXPECT_EQ(status(from("127.evil:80")), 403);
  EXPECT_EQ(status(from("127.0.0.1:8000")), 200);
  EXPECT_EQ(status(from("[::1]:8000")), 200);
  HttpConfig config;
  config.allowed_hosts = {"proxy.example"};
  start(std::move(config));
  EXPECT_EQ(status(from("proxy.example:443")), 200);
  EXPECT_EQ(status(from("evil.example")), 403);
}

TEST_F(HttpServerTest, TellsBrowsersOfOtherSitesNothingUnlessAsked) {
  const std::string origin = "Origin: https://site.example\r\n";
  const std::string preflight = "OPTIONS /echo HTTP/1.1\r\nHost: localhost\r\n" + origin + "\r\n";
  EXPECT_FALSE(ask(get("/hello", origin)).has("Access-Control"));
  EXPECT_FALSE(ask(preflight).has("Access-Control"));
  EXPECT_EQ(ask(preflight).status, 204);
  HttpConfig config;
  config.allowed_origins = {"https://site.example"};
  start(std::move(config));
  EXPECT_TRUE(
      ask(get("/hello", origin)).has("Access-Control-Allow-Origin: https://site.example\r\n"));
  EXPECT_TRUE(ask(preflight).has("Access-Control-Allow-Methods: POST, OPTIONS\r\n"));
  EXPECT_FALSE(ask(get("/hello", "Origin: https://site.example.evil\r\n")).has("Access-Control"));
  EXPECT_FALSE(ask(get("/hello", "Origin: null\r\n")).has("Access-Control"));
}

TEST_F(HttpServerTest, NoticesAClientThatGoesAwayWhileItWaits) {
  for (const char* path : {"/wait", "/stream"}) {
    service_.held = service_.gone = 0;
    Client client(port());
    client.send(get(path));
    wait_until([&] { return service_.held == 1; });
    client.close();
    wait_until([&] { return service_.gone == 1; });
  }
  expect_canary();
}

TEST_F(HttpServerTest, AnswersAClientThatOnlyStoppedSending) {
  for (const char* path : {"/wait", "/stream"}) {
    service_.held = service_.gone = 0;
    Client client(port());
    client.send(get(path));
    client.end_sending();
    wait_until([&] { return service_.held == 1; });
    service_.release();
    const Answer answer = client.read();
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_EQ(service_.gone, 0);
  }
}

TEST_F(HttpServerTest, StreamsEventsAsTheyAreMade) {
  Client client(port());
  client.send(get("/stream"));
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_TRUE(head.contains("Content-Type: text/event-stream; charset=utf-8\r\n"));
  EXPECT_TRUE(head.contains("Cache-Control: no-cache\r\n"));
  EXPECT_EQ(client.read_chunk(), "data: 1\n\n");
  wait_until([&] { return service_.held == 1; });
  service_.release();
  EXPECT_EQ(client.read_chunk(), "data: [DONE]\n\n");
  EXPECT_EQ(client.read_chunk(), "");
  client.send(get("/hello"));
  EXPECT_EQ(client.read().status, 200);
}

TEST_F(HttpServerTest, GivesUpAClientThatDoesNotRead) {
  HttpLimits limits;
  limits.write_timeout = 50ms;
  start_with(limits);
  Client client(port());
  client.shrink_buffer();
  client.send(get("/flood"));
  wait_until([&] { return service_.gone == 1; });
  expect_canary();
}

TEST_F(HttpServerTest, GivesUpAClientThatSendsTooSlowly) {
  HttpLimits limits;
  limits.head_timeout = limits.body_timeout = 50ms;
  start_with(limits);
  EXPECT_EQ(code_of(ask("GET /hello HTTP/1.1\r\nHo")), "request_timeout");
  const std::string whole = post("/echo", "{}");
  EXPECT_EQ(status(whole.substr(0, whole.size() - 1)), 408);
  limits.idle_timeout = 50ms;
  start_with(limits);
  Client idle(port());
  EXPECT_EQ(idle.read_all(), "");
  expect_canary();
}

TEST_F(HttpServerTest, RefusesConnectionsBeyondTheMost) {
  HttpLimits limits;
  limits.connections = 2;
  start_with(limits);
  {
    Client first(port()), second(port());
    for (Client* busy : {&first, &second}) busy->send(get("/stream"));
    wait_until([&] { return service_.held == 2; });
    const Answer answer = ask(get("/hello"));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(code_of(answer), "too_many_connections");
    service_.release();
    for (Client* busy : {&first, &second}) {
      EXPECT_TRUE(busy->read().body.ends_with("data: [DONE]\n\n"));
    }
  }
  wait_until([&] { return server_->connections() == 0; });
  expect_canary();
}

TEST_F(HttpServerTest, ClosesWhatIsIdleForLongestWhereANewcomerNeedsThePlace) {
  HttpLimits limits;
  limits.connections = 2;
  start_with(limits);
  Client older(port());
  older.send(get("/hello"));
  EXPECT_EQ(older.read().status, 200);
  Client silent(port());
  wait_until([&] { return server_->connections() == 2; });
  for (int i = 0; i < 5; i++) {  // now the silent one is idle for longer
    older.send(get("/hello"));
    EXPECT_EQ(older.read().status, 200);
  }
  EXPECT_EQ(ask(get("/hello")).status, 200);
  EXPECT_EQ(silent.read_all(), "");
  older.send(get("/hello"));
  EXPECT_EQ(older.read().status, 200);
}

TEST_F(HttpServerTest, DrainsWithTheAnswersUnderWay) {
  Client busy(port()), idle(port());
  idle.send(get("/hello"));
  EXPECT_EQ(idle.read().status, 200);
  busy.send(get("/stream"));
  wait_until([&] { return service_.held == 1; });
  server_->drain();
  EXPECT_EQ(idle.read_all(), "");
  service_.release();
  EXPECT_TRUE(busy.read().body.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(busy.read_all(), "");
  wait_until([&] { return !Client(port()).connected(); });
}

TEST_F(HttpServerTest, EndsWithConnectionsOpen) {
  Client idle(port()), waiting(port()), half(port());
  waiting.send(get("/wait"));
  half.send("GET /hel");
  wait_until([&] { return service_.held == 1; });
  server_.reset();
  EXPECT_EQ(service_.gone, 1);
  EXPECT_EQ(idle.read_all(), "");
}

TEST_F(HttpServerTest, ServesAtAPathAndSaysWhereSomethingElseIs) {
  const std::string path =
      ::testing::TempDir() + "strata_http_" + std::to_string(::getpid()) + ".sock";
  HttpConfig config;
  config.uds = path;
  start(config);
  Client client(path);
  client.send("GET /hello HTTP/1.1\r\nHost: any\r\n\r\n");
  EXPECT_EQ(client.read().status, 200);
  const auto second = HttpServer::start(config, kRoutes, service_);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().message().contains("a server listens there"));
  server_.reset();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  start(HttpConfig{});
  HttpConfig taken;
  taken.port = port();
  const auto third = HttpServer::start(taken, kRoutes, service_);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::kUnavailable);
  EXPECT_TRUE(third.error().message().contains("--port"));
}

}  // namespace
}  // namespace strata::server
