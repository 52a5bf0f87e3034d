// `strata chat` with a model of its own and with a server: the same lines get the same answers.
#include <sys/stat.h>

#include "api/serve_fixture.h"
#include "server/metrics/test_exposition.h"

namespace strata::testing {
namespace {

class ChatCli : public ServeCli {
 protected:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  static std::vector<std::string> with(std::vector<std::string> words,
                                       const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Done local(const std::vector<std::string>& flags, const std::string& lines) const {
    return strata(with({"chat", model(), "--threads", "1"}, flags), lines);
  }
  Done remote(const std::vector<std::string>& flags, const std::string& lines) const {
    return strata(with({"chat", "--url", url()}, flags), lines);
  }
  std::string expected(const Json& messages, int tokens) const {
    const Json body =
        answer(kChat, {{"messages", messages}, {"max_tokens", tokens}, {"ignore_eos", true}});
    return body["choices"][0]["message"]["content"];
  }
};

Json said(const char* role, const std::string& text) { return {{"role", role}, {"content", text}}; }

const std::vector<std::string> kShort = {"--max-tokens", "7", "--ignore-eos", "--temperature", "0"};

TEST_F(ChatCli, RemembersWhatWasSaidHereAndOnAServer) {
  start_server();
  const std::string one = expected(Json::array({said("user", "One")}), 7);
  const std::string two = expected(
      Json::array({said("user", "One"), said("assistant", one), said("user", "Two\nlines")}), 7);
  for (const Done& done : {local(kShort, "One\n\nTwo\\\nlines\n/new\nOne\n"),
                           remote(kShort, "One\n\nTwo\\\nlines\n/new\nOne\n")}) {
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    EXPECT_EQ(done.out, one + "\n" + two + "\n" + one + "\n") << done.errors;
  }
}

TEST_F(ChatCli, ObeysCommandsHereAndOnAServer) {
  start_server();
  const std::string cat = expected(Json::array({said("system", "A cat"), said("user", "One")}), 7);
  const std::string plain = expected(Json::array({said("user", "a\nb")}), 7);
  const std::string lines =
      "/retry\n/system A cat\nOne\n/retry\n/system\n/new\n\"\"\"a\nb\"\"\"\n/helq\n/help\n/quit\n"
      "Two\n";
  for (const Done& done : {local(kShort, lines), remote(kShort, lines)}) {
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    EXPECT_EQ(done.out, cat + "\n" + cat + "\n" + plain + "\n");
    for (const char* text : {"there is no answer yet", "did you mean /help?", "/system TEXT"}) {
      EXPECT_TRUE(done.errors.contains(text)) << done.errors;
    }
  }
}

TEST_F(ChatCli, CtrlCStopsTheAnswerAndNotTheProgram) {
  start_server();
  const std::string pipe = file("lines");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::vector<std::string> endless = {"--max-tokens", "1900", "--ignore-eos"};
  for (const auto& command : {with({binary(), "chat", model(), "--threads", "1"}, endless),
                              with({binary(), "chat", "--url", url()}, endless)}) {
    const int lines = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);  // the child's side waits for one
    const pid_t child = start(command, pipe);
    const auto type = [lines](std::string_view text) {
      EXPECT_EQ(::write(lines, text.data(), text.size()), std::ssize(text));
    };
    type("Go on\n");
    while (read_file(file("stdout")).empty()) {
    }
    kill(child, SIGINT);
    type("/new\n/quit\n");
    const Done done = finish(child);
    ::close(lines);
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    EXPECT_TRUE(done.errors.contains("a new conversation"));
    EXPECT_TRUE(done.out.ends_with('\n'));
  }
  fs::remove(pipe);
  for (;;) {
    const server::testing::Exposition at(ask(get("/metrics")).body);
    if (at.value("vllm:request_success_total", "finished_reason=\"abort\"") == 1) break;
  }
}

TEST_F(ChatCli, SaysWhatAServerRefuses) {
  start_server({"--api-key", "secret"});
  const Done closed = remote({}, "One\n");
  EXPECT_EQ(closed.exit_code, 69);
  EXPECT_TRUE(closed.errors.contains("401")) << closed.errors;
  const Done wrong = remote(
      with(kShort, {"--api-key", "secret", "--top-p", "1", "--system", std::string(20'000, 'x')}),
      "One\n/system\n/quit\n");
  EXPECT_EQ(wrong.exit_code, 0) << wrong.errors;
  EXPECT_TRUE(wrong.errors.contains("maximum context length")) << wrong.errors;
  EXPECT_EQ(strata({"chat", "--url", url(), "--threads", "1"}).exit_code, 64);
  EXPECT_EQ(strata({"chat", model(), "--api-key", "k"}).exit_code, 64);
  EXPECT_EQ(strata({"chat", model(), "--cacert", "f"}).exit_code, 64);
}

}  // namespace
}  // namespace strata::testing
