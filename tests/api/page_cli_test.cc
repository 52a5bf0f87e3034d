// `GET /` of the real program: the committed page, byte for byte, with the headers that browsers
// hold it to. What the page does is tested in a browser, by tests/web.
#include "api/serve_fixture.h"

namespace strata::testing {
namespace {

class PageCli : public ServeCli {
 protected:
  static std::string built() {
    return read_file(fs::path(std::getenv("STRATA_SOURCE_DIR")) / "web/dist/index.html");
  }
  Answer fetch(const std::string& method, const std::string& fields = "") {
    Client client(port_);
    client.send(method + " / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields +
                "\r\n");
    if (method != "HEAD") return client.read();
    return {.status = 0, .head = client.read_all(), .body = ""};
  }
  static std::string field(const Answer& answer, const std::string& name) {
    const size_t at = answer.head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return answer.head.substr(begin, answer.head.find("\r\n", begin) - begin);
  }
};

TEST_F(PageCli, ThePageIsTheCommittedFile) {
  start_server();
  const Answer answer = fetch("GET");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.body == built()) << answer.body.size() << " bytes";
  EXPECT_EQ(field(answer, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(field(answer, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(field(answer, "Cache-Control"), "no-cache");
}

TEST_F(PageCli, NothingButItsOwnScriptAndStylesMayRun) {
  start_server();
  const std::string policy = field(fetch("GET"), "Content-Security-Policy");
  for (const char* part :
       {"default-src 'none'; ", "script-src 'sha256-", "style-src 'sha256-", "connect-src 'self'; ",
        "frame-ancestors 'none'; ", "require-trusted-types-for 'script'; "}) {
    EXPECT_TRUE(policy.contains(part)) << part << " in " << policy;
  }
  EXPECT_FALSE(policy.contains("unsafe"));
  EXPECT_FALSE(policy.contains('*'));
}

TEST_F(PageCli, ThePageNeedsNothingFromElsewhere) {
  const std::string page = built();
  EXPECT_FALSE(page.contains(" src=")) << "a second request";
  EXPECT_FALSE(page.contains("rel=\"stylesheet\""));
  EXPECT_FALSE(page.contains("@import"));
  EXPECT_LT(page.size(), 150 << 10);
}

TEST_F(PageCli, HeadHasTheSameHeadersAndNoBody) {
  start_server();
  const Answer whole = fetch("GET");
  const Answer head = fetch("HEAD");
  EXPECT_TRUE(head.head.ends_with("\r\n\r\n"));
  for (const char* name : {"Content-Length", "ETag", "Content-Security-Policy", "Content-Type"}) {
    EXPECT_EQ(field(head, name), field(whole, name)) << name;
    EXPECT_NE(field(head, name), "") << name;
  }
}

TEST_F(PageCli, WhoHasThePageIsToldSo) {
  start_server();
  const std::string tag = field(fetch("GET"), "ETag");
  ASSERT_GT(tag.size(), 20u);
  for (const std::string& known : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
    const Answer answer = fetch("GET", "If-None-Match: " + known + "\r\n");
    EXPECT_EQ(answer.status, 304) << known;
    EXPECT_TRUE(answer.body.empty()) << known;
    EXPECT_EQ(field(answer, "ETag"), tag);
    EXPECT_EQ(field(answer, "Content-Length"), "");
  }
  EXPECT_EQ(fetch("GET", "If-None-Match: \"other\"\r\n").status, 200);
}

TEST_F(PageCli, KeysGuardWhatThePageShowsAndNotThePage) {
  start_server({"--api-key", "secret"});
  EXPECT_EQ(fetch("GET").status, 200);
  for (const char* path : {"/metrics", "/v1/models"}) {
    EXPECT_EQ(ask(get(path)).status, 401) << path;
  }
}

TEST_F(PageCli, OtherMethodsAreRefused) {
  start_server();
  for (const char* method : {"DELETE", "PUT", "PATCH", "POST"}) {
    const Answer answer = fetch(method, "Content-Type: application/json\r\nContent-Length: 0\r\n");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(field(answer, "Allow"), "GET, HEAD, OPTIONS") << method;
  }
}

}  // namespace
}  // namespace strata::testing
