// `strata batch` as a script runs it: rows in, rows out, whatever is wrong with some of them, and
// whatever happens to the process.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "api/cli_fixture.h"

namespace strata::testing {
namespace {

Json chat_row(const std::string& id, const std::string& text, Json more = Json::object()) {
  Json body = {{"model", "tiny"}, {"messages", {{{"role", "user"}, {"content", text}}}}};
  body.update(more);
  return {{"custom_id", id}, {"method", "POST"}, {"url", "/v1/chat/completions"}, {"body", body}};
}

Json completion_row(const std::string& id, Json prompt, Json more = Json::object()) {
  Json body = {{"prompt", std::move(prompt)}};
  body.update(more);
  return {{"custom_id", id}, {"method", "POST"}, {"url", "/v1/completions"}, {"body", body}};
}

const Json& body_of(const Json& row) { return row.at("response").at("body"); }
const Json& choice_of(const Json& row, size_t index = 0) { return body_of(row)["choices"][index]; }

class BatchCli : public CliTest {
 protected:
  static std::vector<std::string> command(std::vector<std::string> flags) {
    std::vector<std::string> words = {binary(),          "batch",     model(), file("in.jsonl"),
                                      file("out.jsonl"), "--threads", "1"};
    words.insert(words.end(), flags.begin(), flags.end());
    return words;
  }
  // Until the output has so many lines; false where the program ended before.
  static bool wait_for_rows(pid_t child, int64_t rows) {
    while (std::ranges::count(read_file(file("out.jsonl")), '\n') < rows) {
      if (waitpid(child, nullptr, WNOHANG) != 0) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  static void write_rows(const std::vector<Json>& rows) {
    std::ofstream out(file("in.jsonl"));
    for (const Json& row : rows) out << row.dump() << "\n";
  }
  static std::vector<Json> batch(const std::vector<Json>& rows, std::vector<std::string> flags = {},
                                 int exit_code = 0) {
    write_rows(rows);
    const Done done = run(command(std::move(flags)));
    EXPECT_EQ(done.exit_code, exit_code) << done.errors;
    return read_rows(file("out.jsonl"));
  }
};

TEST_F(BatchCli, AnswersChatsAndCompletionsInOpenAiShapes) {
  const auto rows = batch(
      {chat_row("chat", "u", {{"max_completion_tokens", 3}, {"ignore_eos", true}}),
       completion_row("text", "Hello", {{"max_tokens", 4}, {"ignore_eos", true}}),
       completion_row("ids", {256, 72},
                      {{"max_tokens", 2}, {"ignore_eos", true}, {"return_token_ids", true}})});
  ASSERT_EQ(rows.size(), 3u);
  const Json& chat = body_of(rows[0]);
  EXPECT_EQ(rows[0]["custom_id"], "chat");
  EXPECT_TRUE(rows[0]["error"].is_null());
  EXPECT_EQ(rows[0]["response"]["status_code"], 200);
  EXPECT_EQ(chat["object"], "chat.completion");
  EXPECT_TRUE(chat["id"].get<std::string>().starts_with("chatcmpl-"));
  EXPECT_EQ(choice_of(rows[0])["message"]["role"], "assistant");
  EXPECT_EQ(choice_of(rows[0])["finish_reason"], "length");
  EXPECT_EQ(chat["usage"]["completion_tokens"], 3);
  EXPECT_EQ(chat["usage"]["total_tokens"], 3 + chat["usage"]["prompt_tokens"].get<int64_t>());
  EXPECT_EQ(body_of(rows[1])["object"], "text_completion");
  EXPECT_TRUE(choice_of(rows[1])["text"].is_string());
  EXPECT_EQ(body_of(rows[1])["usage"]["prompt_tokens"], 6);
  EXPECT_EQ(choice_of(rows[2])["prompt_token_ids"], Json::parse("[256,72]"));
  EXPECT_EQ(choice_of(rows[2])["token_ids"].size(), 2u);
}

// What the text says is what `generate` says: one engine behind both doors.
TEST_F(BatchCli, SaysWhatGenerateSays) {
  const auto rows =
      batch({completion_row("a", "Hello", {{"max_tokens", 9}, {"ignore_eos", true}})});
  const Done done = run({binary(), "generate", model(), "--prompt", "Hello", "--max-tokens", "9",
                         "--ignore-eos", "--threads", "1"});
  EXPECT_EQ(choice_of(rows[0])["text"].get<std::string>() + "\n", done.out);
}

TEST_F(BatchCli, GivesEveryPromptItsChoicesInOrder) {
  const Json more = {{"n", 3},    {"max_tokens", 6},    {"temperature", 1.0},
                     {"seed", 7}, {"ignore_eos", true}, {"return_token_ids", true}};
  const auto rows = batch(
      {completion_row("both", {"Hi", "Ho"}, more), completion_row("same", {"Hi", "Hi"}, more)});
  ASSERT_EQ(body_of(rows[0])["choices"].size(), 6u);
  std::set<std::string> different;
  for (size_t i = 0; i < 6; i++) {
    const Json& choice = choice_of(rows[0], i);
    EXPECT_EQ(choice["index"], i);
    EXPECT_EQ(choice["prompt_token_ids"][2], i < 3 ? 105 : 111) << "prompt * n + choice";
    different.insert(choice["token_ids"].dump());
  }
  EXPECT_EQ(different.size(), 6u) << "choices draw by themselves";
  different.clear();
  for (size_t i = 0; i < 6; i++) different.insert(choice_of(rows[1], i)["token_ids"].dump());
  EXPECT_EQ(different.size(), 6u) << "and so do prompts that are equal";
  EXPECT_EQ(body_of(rows[0])["usage"]["completion_tokens"], 36);
  EXPECT_EQ(batch({completion_row("again", {"Hi", "Ho"}, more)})[0]["response"]["body"]["choices"],
            body_of(rows[0])["choices"]);
}

// lm-eval compares a token's own logprob with the largest by equality.
TEST_F(BatchCli, LogprobsHoldTheChosenTokenWithTheSameDigits) {
  const auto rows = batch(
      {completion_row("c", Json::parse("[256,72,105,72]"),
                      {{"max_tokens", 2}, {"logprobs", 1}, {"echo", true}, {"ignore_eos", true}}),
       chat_row(
           "d", "u",
           {{"max_tokens", 2}, {"logprobs", true}, {"top_logprobs", 2}, {"ignore_eos", true}})});
  const Json& of = choice_of(rows[0])["logprobs"];
  ASSERT_EQ(of["tokens"].size(), 6u) << "the prompt's four and two more";
  EXPECT_TRUE(of["token_logprobs"][0].is_null());
  EXPECT_TRUE(of["top_logprobs"][0].is_null());
  for (size_t i = 1; i < 6; i++) {
    const Json& top = of["top_logprobs"][i];
    EXPECT_EQ(top[of["tokens"][i].get<std::string>()].dump(), of["token_logprobs"][i].dump());
    EXPECT_LE(of["token_logprobs"][i], 0);
  }
  EXPECT_EQ(of["text_offset"][1], 0 + of["tokens"][0].get<std::string>().size());
  const Json& content = choice_of(rows[1])["logprobs"]["content"];
  ASSERT_EQ(content.size(), 2u);
  EXPECT_EQ(content[0]["top_logprobs"].size(), 2u);
  EXPECT_EQ(content[0]["top_logprobs"][0]["logprob"], content[0]["logprob"]) << "greedy";
}

TEST_F(BatchCli, BadRowsGetErrorsAndSpoilNothingElse) {
  write_rows({});
  std::ofstream out(file("in.jsonl"));
  const std::vector<std::pair<Json, std::string>> bad = {
      {{{"custom_id", "no url"}, {"body", Json::object()}}, "url"},
      {{{"custom_id", "url"}, {"url", "/v1/embeddings"}, {"body", Json::object()}}, "url"},
      {{{"custom_id", "method"}, {"method", "GET"}, {"url", "/v1/completions"}}, "method"},
      {{{"custom_id", "body"}, {"url", "/v1/completions"}, {"body", 5}}, "body"},
      {{{"custom_id", 5}, {"url", "/v1/completions"}, {"body", Json::object()}}, "custom_id"},
      {chat_row("good 1", "u"), "custom_id"},
      {chat_row("stream", "u", {{"stream", true}}), "stream"},
      {chat_row("tools", "u", {{"tools", {{{"type", "function"}}}}}), "tools"},
      {chat_row("n", "u", {{"n", 129}}), "n"},
      {chat_row("temperature", "u", {{"temperature", "hot"}}), "temperature"},
      {chat_row("bias", "u", {{"logit_bias", {{"5", 101}}}}), "logit_bias"},
      {chat_row("top", "u", {{"top_logprobs", 2}}), "top_logprobs"},
      {chat_row("two", "u", {{"max_tokens", 2}, {"max_completion_tokens", 3}}),
       "max_completion_tokens"},
      {chat_row("role", "u", {{"messages", {{{"role", "bob"}, {"content", "x"}}}}}), "messages[0]"},
      {chat_row("part", "u",
                {{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}}}),
       "messages[0]"},
      {completion_row("prompt", Json::object()), "prompt"},
      {completion_row("id", {999999}), "ids[0]"},
      {completion_row("long", "x", {{"max_tokens", 100000}}), "maximum context length"},
      {completion_row("suffix", "x", {{"suffix", "y"}}), "suffix"},
  };
  out << chat_row("good 1", "u", {{"max_tokens", 2}}).dump() << "\nnonsense\n\n";
  for (const auto& [row, where] : bad) out << row.dump() << "\n";
  out << chat_row("good 2", "u", {{"max_tokens", 2}}).dump() << "\n";
  out.close();
  const Done done = run(command({}));
  EXPECT_EQ(done.exit_code, 65) << done.errors;
  const auto rows = read_rows(file("out.jsonl"));
  ASSERT_EQ(rows.size(), bad.size() + 3);
  EXPECT_EQ(rows.front()["response"]["status_code"], 200);
  EXPECT_EQ(rows.back()["response"]["status_code"], 200);
  EXPECT_TRUE(rows[1]["custom_id"].is_null());
  for (size_t i = 0; i < bad.size(); i++) {
    const Json& row = rows[i + 2];
    const auto message = row["error"]["message"].get<std::string>();
    EXPECT_NE(message.find(bad[i].second), std::string::npos) << message;
    EXPECT_NE(message.find("in.jsonl:" + std::to_string(i + 4)), std::string::npos) << message;
    EXPECT_EQ(row["response"]["status_code"], 400);
    EXPECT_EQ(body_of(row)["error"]["type"], "invalid_request_error");
    EXPECT_EQ(body_of(row)["error"].size(), 4u);
  }
  EXPECT_EQ(body_of(rows[8])["error"]["param"], "stream");
  EXPECT_EQ(body_of(rows[rows.size() - 3])["error"]["code"], "context_length_exceeded");
}

TEST_F(BatchCli, WritesInTheOrderThatWasAskedFor) {
  std::vector<Json> rows;
  for (int i = 0; i < 12; i++) {
    rows.push_back(completion_row(std::to_string(i), "Hello",
                                  {{"max_tokens", i == 0 ? 60 : 2}, {"ignore_eos", true}}));
  }
  const auto ordered = batch(rows, {"--max-num-seqs", "3"});
  ASSERT_EQ(ordered.size(), 12u);
  for (int i = 0; i < 12; i++) {
    EXPECT_EQ(ordered[static_cast<size_t>(i)]["custom_id"], std::to_string(i));
  }
  const auto completed = batch(rows, {"--max-num-seqs", "3", "--order", "completed"});
  ASSERT_EQ(completed.size(), 12u);
  EXPECT_EQ(completed.back()["custom_id"], "0") << "the long one ends last";
  std::map<std::string, Json> by_id;
  for (const Json& row : completed) by_id[row["custom_id"]] = body_of(row)["choices"];
  for (const Json& row : ordered) EXPECT_EQ(by_id[row["custom_id"]], body_of(row)["choices"]);
}

// Flags are defaults for bodies that leave the field out.
TEST_F(BatchCli, FlagsFillInWhatBodiesLeaveOut) {
  const auto rows =
      batch({completion_row("flag", "Hello", {{"ignore_eos", true}}),
             completion_row("body", "Hello", {{"ignore_eos", true}, {"max_tokens", 3}})},
            {"--max-tokens", "5"});
  EXPECT_EQ(body_of(rows[0])["usage"]["completion_tokens"], 5);
  EXPECT_EQ(body_of(rows[1])["usage"]["completion_tokens"], 3);
}

TEST_F(BatchCli, ResumesAfterAKillAtAnyMoment) {
  std::vector<Json> rows;
  for (int i = 0; i < 40; i++) {
    rows.push_back(completion_row(std::to_string(i), "Hello " + std::to_string(i),
                                  {{"max_tokens", 40}, {"ignore_eos", true}}));
  }
  rows[7]["url"] = "/nowhere";
  rows[9].erase("custom_id");
  const auto expected = batch(rows, {"--max-num-seqs", "4"}, 65);
  fs::remove(file("out.jsonl"));
  std::ofstream(file("stdin"));
  // Killed as soon as each next row is there; what is left of a row at the end is cut off.
  for (int64_t wanted = 1; wanted < 40; wanted += 13) {
    const pid_t child = start(command({"--resume", "--max-num-seqs", "4"}), file("stdin"));
    ASSERT_TRUE(wait_for_rows(child, wanted)) << read_file(file("stderr"));
    kill(child, SIGKILL);
    finish(child);
    std::ofstream(file("out.jsonl"), std::ios::app) << "{\"id\":\"batch_req_torn";
  }
  const Done done = run(command({"--resume", "--max-num-seqs", "4"}));
  EXPECT_EQ(done.exit_code, 65) << "errors of earlier runs count";
  EXPECT_NE(done.errors.find("answered already"), std::string::npos) << done.errors;
  const auto resumed = read_rows(file("out.jsonl"));
  ASSERT_EQ(resumed.size(), expected.size());
  for (size_t i = 0; i < expected.size(); i++) {
    EXPECT_EQ(resumed[i]["custom_id"], expected[i]["custom_id"]) << i;
    if (expected[i]["error"].is_null()) {
      EXPECT_EQ(body_of(resumed[i])["choices"], body_of(expected[i])["choices"]) << i;
    }
  }
  EXPECT_EQ(run(command({"--resume"})).exit_code, 65);
  EXPECT_EQ(read_rows(file("out.jsonl")).size(), expected.size()) << "nothing is asked twice";
}

TEST_F(BatchCli, EndsCleanlyOnCtrlCAndGoesOn) {
  std::vector<Json> rows;
  for (int i = 0; i < 30; i++) {
    rows.push_back(
        completion_row(std::to_string(i), "Hello", {{"max_tokens", 100}, {"ignore_eos", true}}));
  }
  write_rows(rows);
  fs::remove(file("out.jsonl"));
  std::ofstream(file("stdin"));
  const pid_t child = start(command({"--max-num-seqs", "2"}), file("stdin"));
  ASSERT_TRUE(wait_for_rows(child, 1)) << read_file(file("stderr"));
  kill(child, SIGINT);
  const Done done = finish(child);
  EXPECT_EQ(done.exit_code, 130);
  EXPECT_NE(done.errors.find("--resume"), std::string::npos) << done.errors;
  EXPECT_LT(read_rows(file("out.jsonl")).size(), 30u);
  EXPECT_EQ(run(command({"--resume"})).exit_code, 0);
  EXPECT_EQ(read_rows(file("out.jsonl")).size(), 30u);
}

TEST_F(BatchCli, RefusesWhatWouldDestroyFiles) {
  write_rows({chat_row("a", "u")});
  const auto words = [&](const fs::path& out) {
    return std::vector<std::string>{binary(), "batch", model(), file("in.jsonl"), out};
  };
  const Done same = run(words(file("in.jsonl")));
  EXPECT_EQ(same.exit_code, 64) << same.errors;
  EXPECT_EQ(read_rows(file("in.jsonl")).size(), 1u);
  std::ofstream(file("notes.txt")) << "{\"a\": 1}\nmy notes\n";
  auto resume = words(file("notes.txt"));
  resume.push_back("--resume");
  const Done notes = run(resume);
  EXPECT_EQ(notes.exit_code, 65);
  EXPECT_NE(notes.errors.find("no answer of a batch"), std::string::npos) << notes.errors;
  EXPECT_EQ(read_file(file("notes.txt")), "{\"a\": 1}\nmy notes\n");
  const Done none = run({binary(), "batch", model(), file("in.jsonl")});
  EXPECT_EQ(none.exit_code, 64);
  EXPECT_NE(none.errors.find("OUT.jsonl"), std::string::npos) << none.errors;
  std::ofstream(file("in.jsonl"));
  EXPECT_EQ(run(words(file("out.jsonl"))).exit_code, 0) << "no rows, all answered";
}

TEST_F(BatchCli, AFullInboxMakesRowsWaitAndRefusesWhatNeverFits) {
  std::vector<Json> rows;
  for (int i = 0; i < 9; i++) rows.push_back(completion_row(std::to_string(i), {"a", "b"}));
  rows.push_back(completion_row("wide", {"a", "b", "c", "d"}));
  const auto answers = batch(rows, {"--max-queued-requests", "3", "--max-num-seqs", "2"}, 65);
  ASSERT_EQ(answers.size(), 10u);
  for (size_t i = 0; i < 9; i++) EXPECT_TRUE(answers[i]["error"].is_null()) << answers[i];
  EXPECT_EQ(answers[9]["error"]["code"], "resource_limit");
}

// The least that is refused, found by halving: it wants all of text but what stays taken, so that
// it would wait for ever.
TEST_F(BatchCli, RefusesWithTheNumbersWhatNeverFitsBesideWhatStays) {
  // Lines that are about to be written do come free.
  std::vector<Json> rows(300, Json({{"no", "request"}}));
  const auto answer = [&rows](int tokens, Json more) {
    more.update({{"max_tokens", tokens}, {"allowed_token_ids", {257}}});  // the end
    rows.push_back(completion_row("a", "Hello", more));
    write_rows(rows);
    rows.pop_back();
    EXPECT_NE(run(command({"--memory", "400MiB"})).exit_code, 71);  // room for a checked program
    return read_rows(file("out.jsonl")).back()["error"];
  };
  // Beside the ids, 64 KiB and more; and beside the request's own grammar, over 100 kB. A token
  // wants 53 and 42 kB.
  const Json choices = {{"n", 16}, {"logprobs", 4}};
  const Json grammar = {{"n", 4},
                        {"logprobs", 14},
                        {"structured_outputs", {{"regex", "(" + std::string(4000, 'x') + ")?"}}}};
  for (const Json& more : {choices, grammar}) {
    int most = 1, beyond = 900;
    ASSERT_TRUE(answer(most, more).is_null()) << answer(most, more);
    Json refused = answer(beyond, more);
    while (beyond - most > 1) {
      const int tokens = (most + beyond) / 2;
      const Json error = answer(tokens, more);
      (error.is_null() ? most : beyond) = tokens;
      if (!error.is_null()) refused = error;
    }
    EXPECT_EQ(refused["code"], "resource_limit") << refused;
    const std::string message = refused["message"].get<std::string>();
    EXPECT_NE(message.find("set aside for text stay taken"), std::string::npos) << message;
  }
}

TEST_F(BatchCli, KeepsToACeilingThatIsLoweredWhileItRuns) {
  ::setenv("XDG_RUNTIME_DIR", folder().c_str(), 1);
  std::vector<Json> rows;
  for (int i = 0; i < 900; i++) {
    rows.push_back(completion_row("r" + std::to_string(i), "abc" + std::to_string(i),
                                  {{"max_tokens", 150}, {"ignore_eos", true}}));
  }
  const auto expected = batch(rows, {}, 0);
  fs::remove(file("out.jsonl"));
  std::ofstream(file("stdin")) << "";
  const pid_t child = start(command({"--memory", "400MiB"}), file("stdin"));
  ASSERT_TRUE(wait_for_rows(child, 2));
  const std::string id = std::to_string(child);
  const Done little = strata({"adjust", id, "--memory", "17MiB"});
  const Done more = strata({"adjust", id, "--memory", "2GiB"});
  const Done nothing = strata({"adjust", id});
  // "(NMiB does)"; the program's own share differs by build.
  const size_t number = little.errors.find('(') + 1;
  const int least = number == 0 ? 150 : std::stoi(little.errors.substr(number));
  const Done done = strata({"adjust", id, "--memory", std::to_string(least + 20) + "MiB"});
  const Done shown = strata({"inspect", "--live", id, "--json"});
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_NE(little.errors.find("expected at least"), std::string::npos) << little.errors;
  EXPECT_NE(more.errors.find("at most the 419 MB of now"), std::string::npos) << more.errors;
  EXPECT_EQ(nothing.exit_code, 64) << nothing.errors;
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  for (const char* word : {"ceiling", "KV pool", "resident"}) {
    EXPECT_NE(done.out.find(word), std::string::npos) << word << " in\n" << done.out;
  }
  const Json held = Json::parse(shown.out);
  EXPECT_LE(held["memory_bytes"]["KV"], 30 << 20) << shown.out;
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  EXPECT_LT(held["rss_bytes"], (least + 20) << 20) << shown.out;
#endif
  EXPECT_EQ(status, 0);
  const auto answers = read_rows(file("out.jsonl"));
  ASSERT_EQ(answers.size(), expected.size());
  for (size_t i = 0; i < answers.size(); i++) {
    EXPECT_EQ(answers[i]["response"]["body"]["choices"],
              expected[i]["response"]["body"]["choices"]);
  }
}

TEST_F(BatchCli, ShowsWhatItHoldsAndDoesWhileItRuns) {
  ::setenv("XDG_RUNTIME_DIR", folder().c_str(), 1);
  std::vector<Json> rows;
  for (int i = 0; i < 400; i++) {
    rows.push_back(completion_row("r" + std::to_string(i), "abc",
                                  {{"max_tokens", 200}, {"ignore_eos", true}}));
  }
  write_rows(rows);
  fs::remove(file("out.jsonl"));
  std::ofstream(file("stdin")) << "";
  const pid_t child = start(command({}), file("stdin"));
  ASSERT_TRUE(wait_for_rows(child, 2));
  const std::string id = std::to_string(child);
  const Done shown = strata({"inspect", "--live", id, "--json"});
  const Done read = strata({"inspect", "--live", id});
  ::kill(child, SIGTERM);
  waitpid(child, nullptr, 0);
  ASSERT_EQ(shown.exit_code, 0) << shown.errors;
  const Json stats = Json::parse(shown.out);
  EXPECT_GT(stats["running"], 0);
  EXPECT_GT(stats["tokens_out"], 200);
  EXPECT_GT(stats["memory_bytes"]["weights"], 100'000);
  EXPECT_GT(stats["rss_bytes"], stats["memory_bytes"]["weights"]);
  ASSERT_EQ(read.exit_code, 0) << read.errors;
  for (const char* word : {"resident", "of files", "charged", "weights", "running", "out/s"}) {
    EXPECT_NE(read.out.find(word), std::string::npos) << word << " in\n" << read.out;
  }
  EXPECT_TRUE(fs::is_empty(folder() / "strata"));
  for (const std::string& gone : {id, std::to_string(::getpid())}) {
    const Done none = strata({"inspect", "--live", gone});
    EXPECT_EQ(none.exit_code, 66) << none.errors;
  }
}

}  // namespace
}  // namespace strata::testing
