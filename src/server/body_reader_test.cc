// Bodies that a handler takes piece by piece, over real sockets: framing, limits, and what becomes
// of the connection where a body is not taken whole.
#include "server/body_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "base/json.h"
#include "server/client/test_server.h"
#include "server/exchange.h"

namespace strata::server {
namespace {

using namespace std::chrono_literals;
using testing::Answer;
using testing::Client;
using testing::get;

class TestService : public Service {
 public:
  std::atomic<size_t> largest = 0;  // piece
};

// Says how much came, and a sum that depends on the order.
asio::awaitable<void> count(Service& shared, Exchange& exchange) {
  auto& service = static_cast<TestService&>(shared);
  size_t bytes = 0;
  unsigned sum = 0;
  Reply reply;
  for (;;) {
    auto piece = co_await exchange.next_piece();
    if (!piece) {
      reply = error_reply(piece.error());
      break;
    }
    if (piece->empty()) {
      reply.body = std::to_string(bytes) + " " + std::to_string(sum);
      break;
    }
    bytes += piece->size();
    for (const char c : *piece) sum = sum * 31 + static_cast<unsigned char>(c);
    service.largest = std::max<size_t>(service.largest, piece->size());
  }
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> refuse(Service&, Exchange& exchange) {
  Reply reply;
  reply.status = 400;
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> hello(Service&, Exchange& exchange) {
  Reply reply;
  reply.body = exchange.id();
  co_await exchange.reply(std::move(reply));
}

constexpr Route kRoutes[] = {
    {"POST", "/form", count, true, ErrorForm::kOpenAi, BodyKind::kForm},
    {"POST", "/refuse", refuse, true, ErrorForm::kOpenAi, BodyKind::kForm},
    {"GET", "/things/{part}", hello},
    {"GET", "/things/{part}/more", refuse},
};

class BodyReaderTest : public testing::RoutesTest<TestService> {
 protected:
  BodyReaderTest() : RoutesTest(kRoutes) {}
  void SetUp() override { start_with({.upload_bytes = 4 << 20}); }
  void start_with(HttpLimits limits) {
    HttpConfig config;
    config.limits = limits;
    config.allowed_origins = {"https://friend.example"};
    start(std::move(config));
  }
  void expect_canary() const { EXPECT_EQ(ask(get("/things/a")).body, "a"); }
};

std::string head(const std::string& fields, const std::string& path = "/form") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data\r\n" +
         fields + "\r\n";
}
std::string of_length(size_t bytes) { return "Content-Length: " + std::to_string(bytes) + "\r\n"; }

std::string some_bytes(size_t count) {
  std::string made;
  for (size_t i = 0; i < count; i++) made += static_cast<char>(i * i % 251);
  return made;
}
std::string counted(const std::string& bytes) {
  unsigned sum = 0;
  for (const char c : bytes) sum = sum * 31 + static_cast<unsigned char>(c);
  return std::to_string(bytes.size()) + " " + std::to_string(sum);
}

TEST_F(BodyReaderTest, PassesABodyOnInPieces) {
  const std::string bytes = some_bytes(3 << 20);
  Client client(port());
  client.send(head(of_length(bytes.size())) + bytes + get("/things/next"));
  EXPECT_EQ(client.read().body, counted(bytes));
  EXPECT_EQ(client.read().body, "next") << "the connection goes on";
  EXPECT_LT(service_.largest, 2 * BodyReader::kPieceBytes);
  std::string chunks;
  for (size_t at = 0; at < 100'000; at += 10'000) {
    chunks += "2710\r\n" + bytes.substr(at, 10'000) + "\r\n";
  }
  const Answer chunked = ask(head("Transfer-Encoding: chunked\r\n") + chunks + "0\r\n\r\n");
  EXPECT_EQ(chunked.body, counted(bytes.substr(0, 100'000)));
  EXPECT_EQ(ask(head(of_length(0))).body, "0 0");
}

TEST_F(BodyReaderTest, ABodyThatIsTooLargeOrCutIsRefused) {
  const Answer claimed = ask(head(of_length((4 << 20) + 1)));
  EXPECT_EQ(claimed.status, 413);
  const std::string chunk = "100000\r\n" + std::string(1 << 20, 'x') + "\r\n";
  Client large(port());
  large.send(head("Transfer-Encoding: chunked\r\n") + chunk + chunk + chunk + chunk + "1\r\nx\r\n");
  EXPECT_EQ(large.read().status, 413);
  expect_canary();
  Client cut(port());
  cut.send(head(of_length(100)) + "half");
  cut.end_sending();
  EXPECT_EQ(cut.read().status, 400);
  EXPECT_EQ(ask(head("Transfer-Encoding: chunked\r\n") + "zz\r\n").status, 400);
  expect_canary();
}

TEST_F(BodyReaderTest, AnAnswerBeforeTheEndOfABodyEndsTheConnection) {
  Client client(port());
  client.send(head(of_length(100), "/refuse") + "some" + get("/things/smuggled"));
  const Answer first = client.read();
  EXPECT_EQ(first.status, 400);
  EXPECT_TRUE(first.has("Connection: close"));
  EXPECT_EQ(client.read_all(), "") << "what follows is the body's, never a request";
  expect_canary();
}

TEST_F(BodyReaderTest, ABodyThatStopsIsGivenUp) {
  start_with({.upload_bytes = 4 << 20, .body_timeout = 30ms});
  Client client(port());
  client.send(head(of_length(100)) + "half");
  EXPECT_EQ(client.read().status, 408);
  expect_canary();
}

TEST_F(BodyReaderTest, WaitsForRoomForPieces) {
  start_with({.upload_bytes = 4 << 20, .all_bodies_bytes = 1000});
  EXPECT_EQ(ask(head(of_length(4)) + "body").status, 503);
  expect_canary();
}

TEST_F(BodyReaderTest, PagesOfOtherSitesSendNoForms) {
  const auto status = [&](const std::string& origin) {
    return ask(head(of_length(0) + "Origin: " + origin + "\r\n")).status;
  };
  EXPECT_EQ(status("http://evil.example"), 403);
  EXPECT_EQ(status("null"), 403);
  EXPECT_EQ(status("http://localhost.evil.example"), 403);
  EXPECT_EQ(status("http://localhost"), 200) << "its own page";
  EXPECT_EQ(status("https://friend.example"), 200);
}

TEST_F(BodyReaderTest, PartsOfPathsHaveNoSlash) {
  EXPECT_EQ(ask(get("/things/a%2eb")).body, "a.b");
  EXPECT_EQ(ask(get("/things/a/more")).status, 400) << "the other route";
  EXPECT_EQ(ask(get("/things/a/b/more")).status, 404);
  EXPECT_EQ(ask(get("/things/a%2fb")).status, 404);
  EXPECT_EQ(ask(get("/things/")).status, 404);
}

}  // namespace
}  // namespace strata::server
