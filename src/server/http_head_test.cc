// Heads as clients send them, and as those send them who want two readers to disagree.
#include "server/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace strata::server {
namespace {

using std::string_literals::operator""s;

std::string head(const std::string& line, const std::string& fields = "") {
  return line + "\r\nHost: localhost\r\n" + fields + "\r\n";
}

int status_of(const std::string& text) {
  const auto parsed = parse_head(text, {});
  return parsed ? 200 : parsed.error().status;
}

TEST(HttpHead, ReadsWhatRoutesAndBodiesNeed) {
  const auto parsed = parse_head(
      head("POST /v1/models/a%2Db?x=1 HTTP/1.1", "Content-Length: 12\r\nX-Odd:  two words \r\n"),
      {});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->method, "POST");
  EXPECT_EQ(parsed->path, "/v1/models/a-b");
  EXPECT_EQ(parsed->content_length, 12u);
  EXPECT_TRUE(parsed->keep_alive);
  EXPECT_EQ(*parsed->field("x-odd"), "two words");
  EXPECT_EQ(parsed->field("absent"), nullptr);
}

TEST(HttpHead, KeepsAliveAsTheVersionAndTheClientSay) {
  EXPECT_FALSE(parse_head(head("GET / HTTP/1.0"), {})->keep_alive);
  EXPECT_TRUE(parse_head(head("GET / HTTP/1.0", "Connection: keep-alive\r\n"), {})->keep_alive);
  EXPECT_FALSE(parse_head(head("GET / HTTP/1.1", "Connection: Close\r\n"), {})->keep_alive);
}

TEST(HttpHead, RefusesFramingThatTwoReadersCouldReadDifferently) {
  const std::string post = "POST / HTTP/1.1";
  for (const char* fields :
       {"Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "Content-Length: +5\r\n",
        "Content-Length: 5 5\r\n", "Content-Length: 0x5\r\n", "Content-Length: -1\r\n",
        "Content-Length:\r\n", "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 1\r\n folded: x\r\n", "Host: other\r\nContent-Length: 1\r\n"}) {
    EXPECT_EQ(status_of(head(post, fields)), 400) << fields;
  }
  for (const char* coding : {"gzip, chunked", "chunked, identity", "gzip", "xchunked"}) {
    EXPECT_EQ(status_of(head(post, "Transfer-Encoding: "s + coding + "\r\n")), 501) << coding;
  }
  EXPECT_EQ(status_of(head("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n")), 400);
  EXPECT_EQ(status_of(head(post)), 411);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);  // no host
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 200);
}

TEST(HttpHead, HoldsEveryLimit) {
  EXPECT_EQ(status_of(head("GET /" + std::string(8192, 'a') + " HTTP/1.1")), 414);
  EXPECT_EQ(status_of(head("GET / HTTP/1.1", "A: " + std::string(8190, 'a') + "\r\n")), 431);
  EXPECT_EQ(status_of(head("GET / HTTP/1.1", "A: " + std::string(8189, 'a') + "\r\n")), 200);
  std::string fields;
  for (int i = 0; i < 99; i++) fields += "A: b\r\n";
  EXPECT_EQ(status_of(head("GET / HTTP/1.1", fields)), 200);
  EXPECT_EQ(status_of(head("GET / HTTP/1.1", fields + "A: b\r\n")), 431);
  const std::string most = std::to_string(HttpLimits().body_bytes);
  EXPECT_EQ(status_of(head("POST / HTTP/1.1", "Content-Length: " + most + "\r\n")), 200);
  for (const char* length : {"16777217", "9223372036854775808", "99999999999999999999999999"}) {
    EXPECT_EQ(status_of(head("POST / HTTP/1.1", "Content-Length: "s + length + "\r\n")), 413);
  }
}

TEST(HttpHead, RefusesTargetsThatAreNoPlainPath) {
  for (const char* target : {"//", "/v1/../admin", "/v1/%2e%2e/admin", "/a/./b", "/%zz", "/%4",
                             "/a\\b", "/%00", "/a%20b", "http://other/", "*", "v1"}) {
    EXPECT_EQ(status_of(head("GET "s + target + " HTTP/1.1")), 400) << target;
  }
  EXPECT_EQ(status_of(head("OPTIONS * HTTP/1.1")), 200);
  EXPECT_EQ(status_of(head("GET / x HTTP/1.1")), 400);
}

TEST(HttpHead, NamesWhatItDoesNotSpeak) {
  EXPECT_EQ(status_of("PRI * HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(status_of(head("GET / HTTP/3.7")), 505);
  EXPECT_EQ(status_of(head("GET / http/1.1")), 400);
  EXPECT_EQ(status_of(head("BREW / HTTP/1.1")), 501);
  EXPECT_EQ(status_of(head("GET / HTTP/1.1", "Expect: a miracle\r\n")), 417);
  EXPECT_EQ(status_of(head("GET / HTTP/1.1", "Content-Encoding: gzip\r\n")), 415);
}

TEST(HttpHead, RefusesControlCharactersAndBareLineEnds) {
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nA: b\nC: d\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n"s), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nA: b\x1b[0m\r\n\r\n"), 400);
}

TEST(HttpHead, SeesAtOnceWhatIsNoHttp) {
  EXPECT_EQ(check_head_start("\x16\x03\x01", {})->status, 400);  // TLS
  EXPECT_EQ(check_head_start("GET /\r\n", {})->status, 400);     // HTTP/0.9
  EXPECT_EQ(check_head_start("GET / HTTP/1.1\n", {})->status, 400);
  EXPECT_EQ(check_head_start("GET /" + std::string(9000, 'a'), {})->status, 414);
  EXPECT_FALSE(check_head_start("GET / HTT", {}));
  EXPECT_FALSE(check_head_start("GET / HTTP/1.1\r\nHo", {}));
}

}  // namespace
}  // namespace strata::server
