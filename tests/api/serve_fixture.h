// A server of the real program on a free port, and questions to it. For the tests of serve and of
// its clients.
#pragma once

#include <chrono>
#include <thread>

#include "api/cli_fixture.h"
#include "server/test_client.h"

namespace strata::testing {

using server::testing::Answer;
using server::testing::Client;
using server::testing::get;
using server::testing::post;

inline constexpr const char* kChat = "/v1/chat/completions";
inline constexpr const char* kText = "/v1/completions";

inline Json parsed(const std::string& text) { return Json::parse(text, nullptr, false); }

inline Json chat_body(Json more = Json::object()) {
  Json body = {{"messages", {{{"role", "user"}, {"content", "Tell me a story"}}}}};
  body.update(more);
  return body;
}

inline Json text_body(Json prompt, Json more = Json::object()) {
  Json body = {{"prompt", std::move(prompt)}};
  body.update(more);
  return body;
}

// The objects of a stream; one that is no JSON is the end mark.
inline std::vector<Json> events_of(const std::string& stream) {
  std::vector<Json> events;
  size_t at = 0;
  while (at < stream.size()) {
    const size_t end = stream.find("\n\n", at);
    const std::string event = stream.substr(at, end - at);
    if (event.starts_with("data: ")) events.push_back(parsed(event.substr(6)));
    at = end + 2;
  }
  return events;
}

class ServeCli : public CliTest {
 protected:
  void TearDown() override { stop(); }

  void start_server(std::vector<std::string> flags = {}, const std::string& where = "") {
    std::vector<std::string> words = {binary(),
                                      "serve",
                                      where.empty() ? model() : fs::path(where),
                                      "--port",
                                      "0",
                                      "--threads",
                                      "1",
                                      "--served-model-name",
                                      "tiny,other"};
    words.insert(words.end(), flags.begin(), flags.end());
    std::ofstream(file("stdin")) << "";
    child_ = start(words, file("stdin"), "serve");
    for (;;) {
      const std::string log = errors();
      if (log.contains("try: curl")) break;
      if (waitpid(child_, nullptr, WNOHANG) != 0) {
        child_ = -1;
        FAIL() << log;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const std::string log = errors();
    for (const std::string mark : {"ready: http://127.0.0.1:", "ready: https://127.0.0.1:"}) {
      if (log.contains(mark)) port_ = std::atoi(log.c_str() + log.find(mark) + mark.size());
    }
  }
  // Its exit code.
  int stop(int signal = SIGTERM) {
    if (child_ < 0) return -1;
    kill(child_, signal);
    return wait_for_end();
  }
  int wait_for_end() {
    int status = 0;
    waitpid(std::exchange(child_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  static std::string errors() { return read_file(file("serveerr")); }

  Answer ask(const std::string& text) const {
    Client client(port_);
    client.send(text);
    return client.read();
  }
  Json answer(const std::string& path, const Json& body, int status = 200) const {
    const Answer got = ask(post(path, body.dump()));
    EXPECT_EQ(got.status, status) << got.body;
    return parsed(got.body);
  }
  std::vector<Json> stream(const std::string& path, Json body) const {
    body["stream"] = true;
    const Answer got = ask(post(path, body.dump()));
    EXPECT_EQ(got.status, 200) << got.body;
    return events_of(got.body);
  }
  void expect_canary() const {
    EXPECT_EQ(answer(kText, text_body("a", {{"max_tokens", 2},
                                            {"ignore_eos", true}}))["usage"]["completion_tokens"],
              2);
  }
  // What its engine holds and does.
  Json stats() const {
    const Done done = strata({"inspect", "--live", std::to_string(child_), "--json"});
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    return parsed(done.out);
  }
  static std::vector<Json> batch(const std::vector<std::pair<std::string, Json>>& asked) {
    std::ofstream out(file("in.jsonl"));
    for (size_t i = 0; i < asked.size(); i++) {
      out << Json{{"custom_id", std::to_string(i)},
                  {"method", "POST"},
                  {"url", asked[i].first},
                  {"body", asked[i].second}}
                 .dump()
          << "\n";
    }
    out.close();
    const Done done =
        strata({"batch", model(), file("in.jsonl"), file("out.jsonl"), "--threads", "1"});
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    std::vector<Json> bodies;
    for (const Json& row : read_rows(file("out.jsonl"))) bodies.push_back(row["response"]["body"]);
    return bodies;
  }

  pid_t child_ = -1;
  int port_ = 0;
};

}  // namespace strata::testing
