// A server with TLS over real sockets: what http_server_test.cc holds plain connections to, where
// TLS comes in between; and the client that checks whom it talks to. What is wrong with files is in
// tls_context_test.cc.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "base/json.h"
#include "server/client/api_client.h"
#include "server/exchange.h"
#include "server/http_server.h"
#include "server/tls/test_tls.h"

namespace strata::server {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::Answer;
using testing::Client;
using testing::get;
using testing::issue;
using testing::Issued;
using testing::post;
using testing::TlsClient;

class TestService : public Service {
 public:
  std::atomic<int> held = 0;
  std::atomic<int> gone = 0;
  std::mutex mutex;
  std::set<std::shared_ptr<Signal>> signals;

  void release() {
    const std::lock_guard lock(mutex);
    for (const auto& signal : signals) signal->notify();
  }
};

asio::awaitable<void> echo(Service&, Exchange& exchange) {
  Reply reply;
  reply.body = exchange.take_body();
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> stream(Service& shared, Exchange& exchange) {
  auto& service = static_cast<TestService&>(shared);
  co_await exchange.begin_stream();
  co_await exchange.send("data: 1\n\n");
  const std::shared_ptr<Signal> signal = exchange.make_signal();
  {
    const std::lock_guard lock(service.mutex);
    service.signals.insert(signal);
  }
  service.held++;
  Wake woken = Wake::kTimeout;
  while (woken == Wake::kTimeout) woken = co_await exchange.wait(*signal, 1h);
  service.gone += woken == Wake::kGone;
  {
    const std::lock_guard lock(service.mutex);
    service.signals.erase(signal);
  }
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
    {"POST", "/echo", echo},
    {"GET", "/stream", stream},
    {"GET", "/flood", flood},
};

// Answers one request with a body that has no length, and ends with or without a goodbye.
class EndingServer {
 public:
  EndingServer(const Issued& identity, bool goodbye)
      : identity_(identity), goodbye_(goodbye), socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 1), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { answer(); });
  }
  ~EndingServer() {
    thread_.join();
    ::close(socket_);
  }
  int port() const { return port_; }

 private:
  void answer() {
    const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    SSL_CTX_use_certificate(context.get(), identity_.x509.get());
    SSL_CTX_use_PrivateKey(context.get(), identity_.pkey.get());
    const std::shared_ptr<SSL> ssl(SSL_new(context.get()), SSL_free);
    const int peer = ::accept(socket_, nullptr, nullptr);
    SSL_set_fd(ssl.get(), peer);
    char request[4096];
    if (SSL_accept(ssl.get()) == 1 && SSL_read(ssl.get(), request, sizeof(request)) > 0) {
      const std::string_view half = "HTTP/1.1 200 OK\r\n\r\nhalf";
      SSL_write(ssl.get(), half.data(), static_cast<int>(half.size()));
      if (goodbye_) SSL_shutdown(ssl.get());
    }
    ::close(peer);
  }

  const Issued& identity_;
  const bool goodbye_;
  const int socket_;
  int port_ = 0;
  std::jthread thread_;
};

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("strata_tls_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    write("cert.pem", identity_.certificate);
    write("key.pem", identity_.key);
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(folder_);
  }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  ServerTls files() const {
    return {.certificate_file = path("cert.pem"), .key_file = path("key.pem")};
  }
  void start(const ServerTls& tls, HttpLimits limits = {}) {
    auto context = TlsContext::for_server(real_env(), tls);
    ASSERT_TRUE(context) << context.error().message();
    start_with(*context, limits);
  }
  void start_with(std::shared_ptr<const TlsContext> tls, HttpLimits limits = {}) {
    server_.reset();
    HttpConfig config;
    config.port = 0;
    config.tls = std::move(tls);
    config.limits = limits;
    auto made = HttpServer::start(std::move(config), kRoutes, service_);
    ASSERT_TRUE(made) << made.error().message();
    server_ = std::move(*made);
  }
  void start() { start(files()); }
  int port() const {
    const std::string& url = server_->url();
    return std::atoi(url.substr(url.rfind(':') + 1).c_str());
  }
  TlsClient client() const { return TlsClient(port(), {.trusted = &identity_}); }
  void expect_canary() const {
    TlsClient one = client();
    one.send(post("/echo", "[1]"));
    EXPECT_EQ(one.read().body, "[1]");
  }
  template <class Condition>
  static void wait_until(Condition condition) {
    while (!condition()) std::this_thread::yield();
  }
  ApiAnswer call(const std::string& host, const ClientTls& tls) const {
    return call(host, port(), tls);
  }
  static ApiAnswer call(const std::string& host, int port, const ClientTls& tls) {
    const auto context = TlsContext::for_client(real_env(), tls);
    EXPECT_TRUE(context);
    ApiClient::Config config{.url = *parse_api_url("https://" + host + ":" + std::to_string(port))};
    config.tls = *context;
    asio::io_context io{1};
    ApiClient client(io.get_executor(), config);
    ApiAnswer answer;
    asio::co_spawn(io, call_once(client, answer), asio::detached);
    io.run();
    return answer;
  }
  static asio::awaitable<void> call_once(ApiClient& client, ApiAnswer& answer) {
    ApiCall asked;
    asked.method = "POST";
    asked.path = "/echo";
    asked.body = "[2]";
    const EventSink none = [](std::string_view) {};
    answer = co_await client.call(std::move(asked), none);
    client.stop();
  }

  const Issued identity_ = issue();
  fs::path folder_;
  TestService service_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(TlsTest, AnswersRequestAfterRequestOnOneConnection) {
  start();
  EXPECT_TRUE(server_->url().starts_with("https://127.0.0.1:"));
  TlsClient one = client();
  const std::string large(3 << 20, '7');
  one.send(post("/echo", "[1]") + post("/echo", large));
  EXPECT_EQ(one.read().body, "[1]");
  EXPECT_TRUE(one.read().body == large);
  one.send(post("/echo", "[3]", "Connection: close\r\n"));
  EXPECT_EQ(one.read().body, "[3]");
  EXPECT_EQ(one.read_all(), "");
  EXPECT_TRUE(one.heard_goodbye());
}

TEST_F(TlsTest, SpeaksNewVersionsAndHttp11Alone) {
  start();
  const TlsClient old(port(), {.newest = TLS1_1_VERSION});
  EXPECT_FALSE(old.secured());
  const TlsClient second(port(), {.newest = TLS1_2_VERSION});
  EXPECT_TRUE(second.secured());
  const TlsClient other(port(), {.protocols = "\x02h2"});
  EXPECT_FALSE(other.secured());
  const TlsClient both(port(), {.protocols = "\x02h2\x08http/1.1"});
  ASSERT_TRUE(both.secured());
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(both.ssl(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
}

TEST_F(TlsTest, ResumesSessions) {
  start();
  SSL_SESSION* session = nullptr;
  {
    TlsClient first = client();
    first.send(post("/echo", "[1]"));
    first.read();  // the ticket comes before it
    session = SSL_get1_session(first.ssl());
    first.say_goodbye();  // or OpenSSL takes the session for a broken one
  }
  TlsClient again(port(), {.trusted = &identity_, .session = session});
  EXPECT_EQ(SSL_session_reused(again.ssl()), 1);
  again.send(post("/echo", "[1]"));
  EXPECT_EQ(again.read().status, 200);
  SSL_SESSION_free(session);
}

TEST_F(TlsTest, GivesUpAHandshakeThatStalls) {
  HttpLimits limits;
  limits.head_timeout = 50ms;
  start(files(), limits);
  Client silent(port()), half(port()), junk(port());
  half.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  junk.send("\x01\x02 no handshake at all\r\n\r\n");
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(half.read_all(), "");
  junk.read_all();
  wait_until([&] { return server_->connections() == 0; });
  limits.head_timeout = 10s;
  start(files(), limits);
  Client holds(port());
  holds.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  expect_canary();
}

TEST_F(TlsTest, TellsWhoSpeaksPlainHttpToIt) {
  start();
  Client plain(port());
  plain.send(get("/stream"));
  const Answer answer = plain.read();
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(answer.body.contains("https_required")) << answer.body;
  EXPECT_EQ(plain.read_all(), "");
  expect_canary();
  start_with(nullptr);
  Client secure(port());
  secure.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9));
  const Answer told = secure.read();
  EXPECT_EQ(told.status, 400);
  EXPECT_TRUE(told.body.contains("tls_on_plain_port")) << told.body;
  EXPECT_EQ(secure.read_all(), "");
}

TEST_F(TlsTest, NoticesAClientThatGoesAwayWhileItWaits) {
  start();
  for (const bool goodbye : {false, true}) {
    service_.held = service_.gone = 0;
    TlsClient one = client();
    one.send(get("/stream"));
    wait_until([&] { return service_.held == 1; });
    if (goodbye) one.say_goodbye();
    one.close();
    wait_until([&] { return service_.gone == 1; });
  }
  expect_canary();
}

TEST_F(TlsTest, AnswersAClientThatOnlyStoppedSending) {
  start();
  TlsClient one = client();
  one.send(get("/stream"));
  one.say_goodbye();
  wait_until([&] { return service_.held == 1; });
  service_.release();
  EXPECT_TRUE(one.read().body.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(service_.gone, 0);
}

// Requests that come while another is answered: what TLS has taken off the socket is not lost.
TEST_F(TlsTest, KeepsWhatComesWhileItWaits) {
  start();
  TlsClient one = client();
  one.send(get("/stream"));
  wait_until([&] { return service_.held == 1; });
  const std::string large(30'000, '7');  // more than a piece, less than is taken ahead
  one.send(post("/echo", large) + post("/echo", "[2]"));
  service_.release();
  EXPECT_EQ(one.read().status, 200);
  EXPECT_TRUE(one.read().body == large);
  EXPECT_EQ(one.read().body, "[2]");
}

TEST_F(TlsTest, GivesUpAClientThatDoesNotRead) {
  HttpLimits limits;
  limits.write_timeout = 50ms;
  start(files(), limits);
  TlsClient one = client();
  one.shrink_buffer();
  one.send(get("/flood"));
  wait_until([&] { return service_.gone == 1; });
  expect_canary();
}

TEST_F(TlsTest, ShakesNoHandsBeyondTheMostConnections) {
  HttpLimits limits;
  limits.connections = 1;
  start(files(), limits);
  {
    TlsClient one = client();
    one.send(get("/stream"));
    wait_until([&] { return service_.held == 1; });
    const TlsClient more(port(), {});
    EXPECT_FALSE(more.secured());
    service_.release();
    EXPECT_EQ(one.read().status, 200);
  }
  wait_until([&] { return server_->connections() == 0; });
  expect_canary();
}

TEST_F(TlsTest, DrainsWithTheAnswersUnderWay) {
  start();
  TlsClient busy = client(), idle = client();
  Client shaking(port());
  idle.send(post("/echo", "[1]"));
  EXPECT_EQ(idle.read().status, 200);
  busy.send(get("/stream"));
  wait_until([&] { return service_.held == 1; });
  wait_until([&] { return server_->connections() == 3; });
  server_->drain();
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_TRUE(idle.heard_goodbye());
  EXPECT_EQ(shaking.read_all(), "");
  service_.release();
  EXPECT_TRUE(busy.read().body.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(busy.read_all(), "");
  EXPECT_TRUE(busy.heard_goodbye());
}

TEST_F(TlsTest, AsksClientsForCertificates) {
  const Issued authority = issue(), guest = issue({.issuer = &authority}), stranger = issue();
  ServerTls tls = files();
  tls.client_authorities_file = write("ca.pem", authority.certificate);
  const auto comes_in = [&](const Issued* own) {
    TlsClient one(port(), {.own = own});
    one.send(post("/echo", "[1]"));
    return one.read().status == 200;
  };
  tls.clients = ClientCertificates::kRequired;
  start(tls);
  EXPECT_TRUE(comes_in(&guest));
  EXPECT_FALSE(comes_in(nullptr));
  EXPECT_FALSE(comes_in(&stranger));
  tls.clients = ClientCertificates::kOptional;
  start(tls);
  EXPECT_TRUE(comes_in(&guest));
  EXPECT_TRUE(comes_in(nullptr));
  EXPECT_FALSE(comes_in(&stranger));
}

TEST_F(TlsTest, ShowsTheWholeChain) {
  const Issued authority = issue(), own = issue({.issuer = &authority});
  ServerTls tls = files();
  tls.certificate_file = write("chain.pem", own.certificate + authority.certificate);
  tls.key_file = write("own.pem", own.key);
  start(tls);
  const TlsClient one(port(), {.trusted = &authority});
  EXPECT_TRUE(one.secured());
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(one.ssl())), 2);
}

TEST_F(TlsTest, ItsClientTakesNoBodyThatSomebodyMayHaveCut) {
  for (const bool goodbye : {true, false}) {
    const EndingServer server(identity_, goodbye);
    const ApiAnswer got = call("127.0.0.1", server.port(), {.verify = false});
    EXPECT_EQ(got.fault, goodbye ? CallFault::kNone : CallFault::kClosed) << got.detail;
    if (goodbye) {
      EXPECT_EQ(got.body, "half");
    }
  }
}

TEST_F(TlsTest, ItsClientTalksToWhomItTrustsAlone) {
  start();
  const std::string own = path("cert.pem");
  const std::string other = write("other.pem", issue().certificate);
  EXPECT_EQ(call("127.0.0.1", {.authorities_file = own}).body, "[2]");
  EXPECT_EQ(call("localhost", {.authorities_file = own}).body, "[2]");
  EXPECT_EQ(call("127.0.0.1", {.verify = false}).body, "[2]");
  for (const ClientTls& tls : {ClientTls{}, ClientTls{.authorities_file = other}}) {
    const ApiAnswer refused = call("127.0.0.1", tls);
    EXPECT_EQ(refused.fault, CallFault::kConnect);
    EXPECT_TRUE(refused.detail.contains("--cacert")) << refused.detail;
  }
  const Issued elsewhere = issue({.names = "DNS:elsewhere.example"});
  ServerTls tls = files();
  tls.certificate_file = write("elsewhere.pem", elsewhere.certificate);
  tls.key_file = write("elsewhere.key", elsewhere.key);
  start(tls);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    const ApiAnswer refused = call(host, {.authorities_file = tls.certificate_file});
    EXPECT_EQ(refused.fault, CallFault::kConnect);
    EXPECT_TRUE(refused.detail.contains("mismatch")) << refused.detail;
  }
  start_with(nullptr);
  const ApiAnswer plain = call("127.0.0.1", {.authorities_file = own});
  EXPECT_EQ(plain.fault, CallFault::kConnect);
  EXPECT_TRUE(plain.detail.contains("no TLS with 127.0.0.1: ")) << plain.detail;
}

}  // namespace
}  // namespace strata::server
