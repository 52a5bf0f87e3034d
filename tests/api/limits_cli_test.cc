// Limits of keys in the real server: one key runs into them, and another, the canary, never
// notices.
#include "api/serve_fixture.h"
#include "server/metrics/test_exposition.h"

namespace strata::testing {
namespace {

constexpr const char* kMessages = "/v1/messages";
constexpr const char* kResponses = "/v1/responses";

class LimitsCli : public ServeCli {
 protected:
  void limit(const std::string& lines, std::vector<std::string> flags = {}) {
    std::ofstream(file("keys")) << lines
                                << "\ncanary rpm=none tpm=none max_parallel_requests=none\n";
    flags.insert(flags.end(), {"--api-key-file", file("keys")});
    start_server(flags);
  }
  static std::string bearer(const std::string& key) {
    return "Authorization: Bearer " + key + "\r\n";
  }
  Answer as(const std::string& key, const std::string& path, const Json& body) const {
    return ask(post(path, body.dump(), bearer(key)));
  }
  static Json few(int tokens = 2) {
    return text_body("a", {{"max_tokens", tokens}, {"ignore_eos", true}});
  }
  void expect_canary() const { EXPECT_EQ(as("canary", kText, few()).status, 200); }
  static std::string field(const Answer& answer, const std::string& name) {
    const size_t at = answer.head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return answer.head.substr(begin, answer.head.find("\r\n", begin) - begin);
  }
  double refused(const std::string& reason) const {
    const server::testing::Exposition at(ask(get("/metrics", bearer("canary"))).body);
    return at.value("strata:rate_limited_total", "reason=\"" + reason + "\"");
  }
};

TEST_F(LimitsCli, RefusesRequestsBeyondTheirRateInEachApisWords) {
  limit("slow rpm=2");
  const Answer first = as("slow", kText, few());
  EXPECT_EQ(first.status, 200) << first.body;
  EXPECT_EQ(field(first, "x-ratelimit-limit-requests"), "2");
  EXPECT_EQ(field(first, "x-ratelimit-remaining-requests"), "1");
  EXPECT_EQ(as("slow", "/tokenize", text_body("a")).status, 200);
  for (const char* path : {kText, kChat, kResponses, "/tokenize", "/v1/batches"}) {
    const Answer refused = as("slow", path, few());
    EXPECT_EQ(refused.status, 429) << path;
    const Json error = parsed(refused.body)["error"];
    EXPECT_EQ(error["code"], "rate_limit_exceeded") << path;
    EXPECT_EQ(error["type"], "rate_limit_error") << path;
    EXPECT_GE(std::atoi(field(refused, "Retry-After").c_str()), 1) << path;
    EXPECT_EQ(field(refused, "x-ratelimit-remaining-requests"), "0") << path;
  }
  const Answer message = as("slow", kMessages, few());
  EXPECT_EQ(message.status, 429);
  EXPECT_EQ(parsed(message.body)["type"], "error");
  EXPECT_EQ(parsed(message.body)["error"]["type"], "rate_limit_error");
  for (const char* path : {"/v1/models", "/health", "/metrics", "/v1/files"}) {
    EXPECT_EQ(ask(get(path, bearer("slow"))).status, 200) << path;
  }
  EXPECT_EQ(refused("requests"), 6);
  EXPECT_EQ(refused("tokens"), 0);
  expect_canary();
  EXPECT_FALSE(as("canary", kText, few()).has("x-ratelimit"));
  EXPECT_FALSE(ask(get("/metrics", bearer("canary"))).has("slow"));
}

TEST_F(LimitsCli, ChargesPromptsAndAnswers) {
  limit("slow tpm=100");
  const Answer first = as("slow", kText, few(150));
  EXPECT_EQ(first.status, 200) << first.body;
  const int64_t prompt = parsed(first.body)["usage"]["prompt_tokens"];
  EXPECT_EQ(field(first, "x-ratelimit-limit-tokens"), "100");
  EXPECT_EQ(field(first, "x-ratelimit-remaining-tokens"), std::to_string(100 - prompt));
  const Answer refused = as("slow", kText, few());
  EXPECT_EQ(refused.status, 429) << refused.body;
  const int wait_s = std::atoi(field(refused, "Retry-After").c_str());
  EXPECT_GE(wait_s, 1);
  EXPECT_LE(wait_s, 32) << "what is owed, and one";
  EXPECT_EQ(as("slow", "/tokenize", text_body("a")).status, 200);
  EXPECT_EQ(this->refused("tokens"), 1);
  expect_canary();
}

TEST_F(LimitsCli, RefusesForGoodWhatAloneIsTooMuch) {
  limit("slow tpm=10");
  const Answer refused = as("slow", kText, text_body(std::vector<int>(11, 65)));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(field(refused, "x-should-retry"), "false");
  EXPECT_EQ(field(refused, "Retry-After"), "");
  EXPECT_EQ(as("slow", kText, few()).status, 200) << "it was not charged";
}

TEST_F(LimitsCli, GivesSeatsBackHoweverAnAnswerEnds) {
  limit("slow max_parallel_requests=1", {"--no-enable-prefix-caching"});
  const Json endless =
      text_body("a", {{"max_tokens", 2000}, {"n", 64}, {"ignore_eos", true}, {"stream", true}});
  for (int round = 0; round < 2; round++) {
    Client going(port_);
    going.send(post(kText, endless.dump(), bearer("slow")));
    EXPECT_TRUE(going.read_until("data: ").contains("200 OK"));
    const Answer refused = as("slow", kText, few());
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(field(refused, "Retry-After"), "1");
    EXPECT_EQ(as("slow", kMessages, few()).status, 429);
    expect_canary();
    going.close();  // the next one may come once the engine has noticed
    while (as("slow", kText, few()).status == 429) std::this_thread::yield();
  }
  // Each at once behind the end of the one before.
  EXPECT_EQ(as("slow", kText, text_body("a", {{"n", 0}})).status, 400);
  for (int i = 0; i < 5; i++) {
    EXPECT_EQ(as("slow", kText, few()).status, 200);
    Json streamed = few();
    streamed["stream"] = true;
    EXPECT_EQ(as("slow", kText, streamed).status, 200);
  }
  EXPECT_GE(refused("parallel"), 4);
}

TEST_F(LimitsCli, ChargesNothingForWhatTheEngineRefuses) {
  limit("slow tpm=1000 max_parallel_requests=1",
        {"--max-num-seqs", "1", "--max-queued-requests", "1"});
  Json endless = text_body("a", {{"max_tokens", 2000}, {"n", 64}, {"ignore_eos", true}});
  Client running(port_), waiting(port_);
  running.send(post(kText, endless.dump(), bearer("canary")));
  while (stats()["running"] == 0) {
  }
  waiting.send(post(kText, endless.dump(), bearer("canary")));
  while (stats()["waiting"] == 0) {
  }
  for (int i = 0; i < 2; i++) {
    const Answer refused = as("slow", kText, few());
    EXPECT_EQ(refused.status, 429);
    EXPECT_NE(parsed(refused.body)["error"]["code"], "rate_limit_exceeded") << refused.body;
    EXPECT_EQ(field(refused, "x-ratelimit-remaining-tokens"), "1000");
  }
}

TEST_F(LimitsCli, LimitsEverybodyTogetherWithoutKeys) {
  start_server({"--rpm", "2"});
  for (int i = 0; i < 2; i++) EXPECT_EQ(ask(post(kText, few().dump())).status, 200);
  EXPECT_EQ(ask(post(kText, few().dump())).status, 429);
  EXPECT_EQ(ask(get("/health")).status, 200);
}

TEST_F(LimitsCli, NamesTheLineOfTheFile) {
  std::ofstream(file("keys")) << "fine\nsecret rmp=5\n";
  const Done done = strata({"serve", model(), "--port", "0", "--api-key-file", file("keys")});
  EXPECT_EQ(done.exit_code, 65) << done.errors;
  EXPECT_TRUE(done.errors.contains("line 2: rmp: ")) << done.errors;
  EXPECT_FALSE(done.errors.contains("secret"));
}

// Rows wait for their key's limits, and are answered: what is above the limit is refused alone.
TEST_F(LimitsCli, RowsOfBatchesWaitAndRequestsComeFirst) {
  limit("slow rpm=240 max_parallel_requests=2", {"--files-dir", file("kept")});
  std::string rows;
  for (int i = 0; i < 12; i++) {
    rows +=
        Json{
            {"custom_id", std::to_string(i)}, {"method", "POST"}, {"url", kText}, {"body", few(20)}}
            .dump() +
        "\n";
  }
  const std::string form =
      "--BB\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--BB\r\n"
      "Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" +
      rows + "\r\n--BB--\r\n";
  const Answer upload =
      ask("POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
          "boundary=BB\r\n" +
          bearer("slow") + "Content-Length: " + std::to_string(form.size()) + "\r\n\r\n" + form);
  ASSERT_EQ(upload.status, 200) << upload.body;
  const Answer made = as("slow", "/v1/batches",
                         {{"input_file_id", parsed(upload.body)["id"]},
                          {"endpoint", kText},
                          {"completion_window", "24h"}});
  ASSERT_EQ(made.status, 200) << made.body;
  const std::string id = parsed(made.body)["id"];
  Json batch;
  int live = 0;
  do {
    if (live < 20) {
      EXPECT_EQ(as("slow", kText, few()).status, 200) << "a seat is left";
      live++;
    }
    batch = parsed(ask(get("/v1/batches/" + id, bearer("slow"))).body);
  } while (batch["status"] != "completed" && batch["status"] != "failed");
  EXPECT_EQ(batch["status"], "completed") << batch.dump();
  EXPECT_EQ(batch["request_counts"]["completed"], 12) << batch.dump();
  expect_canary();
}

}  // namespace
}  // namespace strata::testing
