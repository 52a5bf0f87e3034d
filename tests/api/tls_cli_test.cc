// `strata serve` with a certificate, and the commands that talk to it: what is answered over TLS is
// what is answered without, and every file that is no certificate is refused before a model loads.
#include "api/serve_fixture.h"
#include "server/tls/test_tls.h"

namespace strata::testing {
namespace {

using server::testing::issue;
using server::testing::Issued;
using server::testing::TlsClient;

class TlsCli : public ServeCli {
 protected:
  static std::string write(const std::string& name, const std::string& text) {
    std::ofstream(file(name), std::ios::binary) << text;
    return file(name);
  }
  void SetUp() override { write_identity(identity_); }
  static void write_identity(const Issued& identity) {
    write("cert.pem", identity.certificate);
    write("key.pem", identity.key);
  }
  void start_tls(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(),
                 {"--ssl-certfile", file("cert.pem"), "--ssl-keyfile", file("key.pem")});
    start_server(flags);
  }
  TlsClient client() const { return TlsClient(port_, {.trusted = &identity_}); }
  Answer ask_tls(const std::string& text) const {
    TlsClient one = client();
    one.send(text);
    return one.read();
  }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  // Why a server with these flags does not start.
  static Done refused(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"serve", file("no model"), "--port", "0"});
    return strata(flags);
  }

  const Issued identity_ = issue();
};

// Everything of an answer but what differs in every run.
Json without_ids(Json body) {
  for (const char* name : {"id", "created", "system_fingerprint"}) body.erase(name);
  return body;
}

TEST_F(TlsCli, AnswersAndStreamsAsWithoutTls) {
  Json asked = text_body("Once upon a time", {{"max_tokens", 40},
                                              {"temperature", 0.9},
                                              {"seed", 5},
                                              {"logprobs", 2},
                                              {"ignore_eos", true}});
  start_server();
  const Json whole = without_ids(answer(kText, asked));
  asked["stream"] = true;
  const std::vector<Json> plain = events_of(ask(post(kText, asked.dump())).body);
  stop();
  start_tls();
  const std::string log = errors();
  EXPECT_TRUE(log.contains("ready: https://127.0.0.1:")) << log;
  EXPECT_TRUE(log.contains("try: curl --cacert " + file("cert.pem").string() + " https://")) << log;
  const std::vector<Json> secure = events_of(ask_tls(post(kText, asked.dump())).body);
  ASSERT_EQ(secure.size(), plain.size());
  for (size_t i = 0; i < plain.size(); i++) {
    if (!plain[i].is_object()) continue;
    EXPECT_EQ(without_ids(secure[i]), without_ids(plain[i])) << i;
  }
  asked["stream"] = false;
  EXPECT_EQ(without_ids(parsed(ask_tls(post(kText, asked.dump())).body)), whole);
  EXPECT_EQ(ask_tls(get("/health")).status, 200);
  EXPECT_TRUE(ask_tls(get("/")).body.starts_with("<!doctype html>"));
}

TEST_F(TlsCli, FreesTheBlocksOfClientsThatGo) {
  start_tls({"--no-enable-prefix-caching"});
  for (const bool streamed : {true, false}) {
    TlsClient one = client();
    one.send(
        post(kText,
             text_body(
                 "a", {{"max_tokens", 2000}, {"n", 64}, {"ignore_eos", true}, {"stream", streamed}})
                 .dump()));
    if (streamed) one.read_until("data: ");
    while (stats()["running"] == 0) {
    }
    one.close();
    Json left = stats();
    while (left["running"] != 0 || left["waiting"] != 0) left = stats();
    for (const Json& group : left["groups"]) EXPECT_EQ(group["used_blocks"], 0);
  }
  EXPECT_EQ(ask_tls(post(kText, text_body("a", {{"max_tokens", 2}}).dump())).status, 200);
}

TEST_F(TlsCli, EndsStreamsBeforeItself) {
  start_tls();
  TlsClient one = client(), idle = client();
  one.send(post(
      kText, text_body("a", {{"max_tokens", 500}, {"ignore_eos", true}, {"stream", true}}).dump()));
  one.read_until("data: ");
  kill(child_, SIGTERM);
  EXPECT_EQ(idle.read_all(), "");
  const std::string rest = one.read_all();
  EXPECT_TRUE(rest.contains("\"finish_reason\":\"length\""));
  EXPECT_TRUE(rest.contains("data: [DONE]\n\n"));
  EXPECT_TRUE(one.heard_goodbye());
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(TlsCli, CutsAHandshakeThatStallsWhileOthersAreServed) {
  start_tls();
  Client silent(port_), half(port_);
  half.send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  EXPECT_EQ(ask_tls(post(kText, text_body("a", {{"max_tokens", 2}}).dump())).status, 200);
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(half.read_all(), "");
  EXPECT_TRUE(errors().contains("the handshake took too long")) << errors();
  Client plain(port_);
  plain.send(get("/health"));
  EXPECT_EQ(parsed(plain.read().body)["error"]["code"], "https_required");
  EXPECT_TRUE(errors().contains("speaks plain HTTP to a port with TLS"));
  EXPECT_EQ(ask_tls(get("/health")).status, 200);
}

TEST_F(TlsCli, TakesARenewedCertificateAtHangup) {
  start_tls();
  const Issued renewed = issue();
  TlsClient before = client();
  write("key.pem", "junk");
  kill(child_, SIGHUP);
  while (!errors().contains("stays as it was")) std::this_thread::yield();
  EXPECT_EQ(ask_tls(get("/livez")).status, 200);
  write_identity(renewed);
  kill(child_, SIGHUP);
  while (!errors().contains("new connections have the certificate")) std::this_thread::yield();
  EXPECT_FALSE(client().secured());
  TlsClient after(port_, {.trusted = &renewed});
  after.send(get("/livez"));
  EXPECT_EQ(after.read().status, 200);
  before.send(get("/livez"));
  EXPECT_EQ(before.read().status, 200);
}

TEST_F(TlsCli, NamesTheFlagBeforeTheModelLoads) {
  const std::string cert = file("cert.pem"), key = file("key.pem");
  const auto expect = [&](const Done& done, int code, std::vector<std::string> parts) {
    EXPECT_EQ(done.exit_code, code) << done.errors;
    for (const std::string& part : parts) EXPECT_TRUE(done.errors.contains(part)) << done.errors;
  };
  expect(refused({"--ssl-certfile", cert}), 64, {"--ssl-certfile without --ssl-keyfile"});
  expect(refused({"--ssl-keyfile", key}), 64, {"--ssl-keyfile without --ssl-certfile"});
  expect(refused({"--ssl-certfile", cert, "--ssl-keyfile", file("none")}), 66,
         {"--ssl-keyfile", "none"});
  expect(refused({"--ssl-certfile", key, "--ssl-keyfile", key}), 65,
         {"--ssl-certfile", "a private key"});
  const std::string other = write("other.pem", issue().key);
  expect(refused({"--ssl-certfile", cert, "--ssl-keyfile", other}), 65,
         {"--ssl-keyfile", "another certificate's key"});
  const std::string secret = write("secret.pem", identity_.encrypted_key("swordfish"));
  expect(refused({"--ssl-certfile", cert, "--ssl-keyfile", secret}), 65,
         {"--ssl-keyfile", "encrypted", "--ssl-keyfile-password-file"});
  const std::string socket = file("tls.sock");
  expect(refused({"--ssl-certfile", cert, "--ssl-keyfile", key, "--uds", socket}), 64,
         {"--ssl-certfile with --uds"});
  expect(refused({"--ssl-certfile", cert, "--ssl-keyfile", key, "--ssl-ca-certs", cert}), 64,
         {"--ssl-ca-certs without --ssl-cert-reqs"});
  expect(refused({"--ssl-certfile", cert, "--ssl-keyfile", key, "--ssl-cert-reqs", "2"}), 64,
         {"--ssl-cert-reqs without --ssl-ca-certs"});
  // Nothing is wrong but the model.
  setenv("STRATA_SSL_KEYFILE_PASSWORD", "swordfish", 1);
  expect(refused({"--ssl-certfile", cert, "--ssl-keyfile", secret}), 66, {"no model"});
  unsetenv("STRATA_SSL_KEYFILE_PASSWORD");
}

TEST_F(TlsCli, CommandsTalkToItAndCheckWhomTheyTalkTo) {
  start_tls({"--api-key", "secret"});
  const std::vector<std::string> chat = {"chat",   "--url",        url(), "--api-key",
                                         "secret", "--max-tokens", "7",   "--ignore-eos"};
  const auto with = [](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const Done trusted = strata(with(chat, {"--cacert", file("cert.pem")}), "Hello\n");
  EXPECT_EQ(trusted.exit_code, 0) << trusted.errors;
  EXPECT_FALSE(trusted.out.empty());
  const Done any = strata(with(chat, {"--insecure"}), "Hello\n");
  EXPECT_EQ(any.out, trusted.out) << any.errors;
  const Done unknown = strata(chat, "Hello\n");
  EXPECT_EQ(unknown.exit_code, 69);
  EXPECT_TRUE(unknown.errors.contains("--cacert FILE")) << unknown.errors;
  const Done both = strata(with(chat, {"--insecure", "--cacert", file("cert.pem")}));
  EXPECT_EQ(both.exit_code, 64) << both.errors;
  const Done lost = strata({"chat", "--url", "http://127.0.0.1:1", "--insecure"});
  EXPECT_EQ(lost.exit_code, 64) << lost.errors;
  const Done bench =
      strata({"bench", "serve", "--url", url(), "--api-key", "secret", "--cacert", file("cert.pem"),
              "--requests", "4", "--concurrency", "2", "--output-tokens", "4"});
  EXPECT_EQ(bench.exit_code, 0) << bench.errors;
}

}  // namespace
}  // namespace strata::testing
