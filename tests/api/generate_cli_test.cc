// `strata generate` as a user or a script runs it: what lands on standard output, in files and in
// the exit code.
#include <algorithm>
#include <map>
#include <thread>

#include "api/cli_fixture.h"

namespace strata::testing {
namespace {

class GenerateCli : public CliTest {
 protected:
  static Done generate(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), {"generate", model()});
    // Tests share their cores with others: a second thread that spins for work would only wait for
    // a turn.
    if (std::ranges::find(arguments, "--threads") == arguments.end())
      arguments.insert(arguments.end(), {"--threads", "1"});
    return strata(arguments, input);
  }
  // Rows of a prompts file to rows of answers.
  static std::vector<Json> answers(const std::string& rows, std::vector<std::string> flags,
                                   int exit_code = 0) {
    std::ofstream(file("in.jsonl")) << rows;
    flags.insert(flags.end(), {"--prompts", file("in.jsonl"), "--out", file("out.jsonl")});
    const Done done = generate(flags);
    EXPECT_EQ(done.exit_code, exit_code) << done.errors;
    return read_rows(file("out.jsonl"));
  }
};

TEST_F(GenerateCli, StreamsTextToStandardOutputAndNothingElse) {
  const Done done = generate({"--prompt", "Hello", "--max-tokens", "12", "--ignore-eos"});
  EXPECT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_TRUE(done.out.ends_with("\n"));
  EXPECT_NE(done.errors.find("loaded"), std::string::npos);
  EXPECT_EQ(done.errors.find('\r'), std::string::npos) << "a pipe is no terminal";
  const Done json = generate({"--prompt", "Hello", "--max-tokens", "12", "--ignore-eos", "--json"});
  const Json answer = Json::parse(json.out);
  EXPECT_EQ(answer["text"].get<std::string>() + "\n", done.out);
  EXPECT_EQ(answer["ids"].size(), 12u);
  EXPECT_EQ(answer["finish_reason"], "length");
  EXPECT_EQ(answer["prompt_ids"], Json::parse("[256,72,101,108,108,111]"));
}

TEST_F(GenerateCli, TakesThePromptFromWhereItIs) {
  std::ofstream(file("prompt.txt")) << "Hello\n";
  const std::string wanted = generate({"--prompt", "Hello", "--max-tokens", "5"}).out;
  EXPECT_EQ(generate({"--max-tokens", "5"}, "Hello\n").out, wanted);
  EXPECT_EQ(generate({"--prompt-file", file("prompt.txt"), "--max_tokens=5"}).out, wanted);
}

TEST_F(GenerateCli, AnInstalledProgramBringsItsModel) {
  const fs::path installed = file("installed");
  const std::string build = environment("STRATA_BINARY_DIR");
  const Done done = run({"/usr/bin/env", "cmake", "--install", build, "--prefix", installed});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  const std::vector<std::string> ask = {
      installed / "bin/strata", "generate", "--chat", "--prompt", "Hello!", "--threads", "1"};
  const Done answer = run(ask);
  EXPECT_EQ(answer.exit_code, 0) << answer.errors;
  EXPECT_GT(answer.out.size(), 3u);
  fs::rename(installed / "share/strata/models/pebble", installed / "share/strata/models/stone");
  const Done missing = run(ask);
  EXPECT_EQ(missing.exit_code, 66) << missing.errors;
  EXPECT_NE(missing.errors.find("share/strata/models/pebble"), std::string::npos) << missing.errors;
}

TEST_F(GenerateCli, WritesAChatThroughTheTemplate) {
  const Done done =
      generate({"--chat", "--system", "S", "--prompt", "u", "--max-tokens", "1", "--json"});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(Json::parse(done.out)["prompt_ids"], Json::parse("[256,258,83,259,117,260]"));
}

TEST_F(GenerateCli, AnswersRowsInOrderWithTheirLogits) {
  const auto rows = answers(
      "{\"id\":\"ids\",\"ids\":[256,1,2]}\n{\"id\":2,\"prompt\":\"Hi\"}\n"
      "{\"id\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"u\"}]}\n",
      {"--logits", file("logits"), "--max-tokens", "7", "--ignore-eos"});
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["id"], "ids");
  EXPECT_EQ(rows[1]["id"], 2);
  EXPECT_EQ(rows[1]["prompt_ids"], Json::parse("[256,72,105]"));
  EXPECT_EQ(rows[2]["prompt_ids"], Json::parse("[256,259,117,260]"));
  for (const Json& row : rows) {
    EXPECT_EQ(row["ids"].size(), 7u);
    EXPECT_EQ(row["finish_reason"], "length");
  }
  const std::string npy = read_file(file("logits") / "ids.npy");
  ASSERT_EQ(npy.size(), 128u + 9 * 272 * 4);
  EXPECT_NE(npy.find("'shape': (9, 272)"), std::string::npos);
  // Row t holds the logits computed at position t: the greedy token of the last prompt row is the
  // first answer.
  const auto* logits = reinterpret_cast<const float*>(npy.data() + 128);
  for (size_t t = 2; t < 9; t++) {
    const float* row = logits + t * 272;
    EXPECT_EQ(std::max_element(row, row + 272) - row, rows[0]["ids"][t - 2].get<int64_t>()) << t;
  }
  EXPECT_TRUE(fs::exists(file("logits") / "2.npy"));
}

TEST_F(GenerateCli, GivesTheSameBitsInAnyBatchChunkThreadsAndSet) {
  std::string rows;
  for (int i = 0; i < 9; i++) {
    rows += "{\"id\":" + std::to_string(i) + ",\"prompt\":\"" +
            std::string(static_cast<size_t>(1 + 13 * i), static_cast<char>('a' + i)) + "\"}\n";
  }
  std::map<std::string, std::string> expected;
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--max-num-seqs", "1"},
        {"--prefill-chunk", "1", "--threads", "1"},
        {"--prefill-chunk", "5", "--isa", "scalar", "--kv-blocks", "9"}}) {
    std::vector<std::string> all = flags;
    all.insert(all.end(), {"--logits", file("bits"), "--max-tokens", "9", "--temperature", "0"});
    EXPECT_EQ(answers(rows, all).size(), 9u);
    for (int i = 0; i < 9; i++) {
      const std::string name = std::to_string(i) + ".npy";
      const std::string bits = read_file(file("bits") / name);
      EXPECT_EQ(expected.emplace(name, bits).first->second, bits) << name;
    }
  }
}

TEST_F(GenerateCli, BadRowsSpoilNothingElse) {
  const auto rows = answers(
      "{\"id\":\"good\",\"ids\":[256,1,2]}\nnot json\n{\"id\":\"vocabulary\",\"ids\":[1,272]}\n"
      "{\"id\":\"empty\",\"ids\":[]}\n{\"id\":\"text\",\"prompt\":\"\"}\n{\"id\":\"typo\","
      "\"promt\":\"x\"}\n"
      "{\"id\":\"long\",\"prompt\":\"" +
          std::string(90, 'x') +
          "\"}\n{\"id\":\"../../x\",\"ids\":[1]}\n"
          "{\"id\":\"role\",\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}\n{\"id\":"
          "\"last\",\"ids\":[256,1,2]}\n",
      {"--logits", file("bad"), "--max-tokens", "4", "--max-model-len", "64", "--ignore-eos"}, 65);
  ASSERT_EQ(rows.size(), 10u);
  const auto message = [&](size_t i) { return rows[i]["error"]["message"].get<std::string>(); };
  EXPECT_EQ(rows[0]["ids"].size(), 4u);
  EXPECT_EQ(rows[9]["ids"], rows[0]["ids"]);
  EXPECT_TRUE(rows[1]["id"].is_null());
  EXPECT_NE(message(1).find("in.jsonl:2"), std::string::npos);
  EXPECT_NE(message(2).find("in.jsonl:3: ids[1]: got 272, expected a token id from 0 to 271"),
            std::string::npos);
  EXPECT_NE(message(3).find("empty prompt"), std::string::npos);
  EXPECT_NE(message(4).find("prompt"), std::string::npos);
  EXPECT_NE(message(5).find("promt"), std::string::npos);
  EXPECT_NE(message(6).find("This model's maximum context length is 64 tokens"), std::string::npos);
  EXPECT_NE(message(7).find("names a file"), std::string::npos);
  EXPECT_NE(message(8).find("not supported"), std::string::npos);
  EXPECT_FALSE(fs::exists(file("x.npy")));
  EXPECT_EQ(rows[2]["error"]["line"], 3);
  EXPECT_EQ(std::distance(fs::directory_iterator(file("bad")), fs::directory_iterator()), 2);
}

TEST_F(GenerateCli, SeedsMakeDrawsRepeatable) {
  const std::vector<std::string> flags = {"--prompt",      "Hello", "--max-tokens", "20",
                                          "--temperature", "2",     "--ignore-eos", "--json"};
  const auto with = [&](const char* seed) {
    auto all = flags;
    all.insert(all.end(), {"--seed", seed});
    return Json::parse(generate(all).out)["ids"];
  };
  EXPECT_EQ(with("1"), with("1"));
  EXPECT_NE(with("1"), with("2"));
}

TEST_F(GenerateCli, EndsAtStopStringsWhereverTheyStand) {
  const std::vector<std::string> flags = {"--prompt", "Hello",        "--max-tokens",
                                          "30",       "--ignore-eos", "--json"};
  const auto with = [&](const std::vector<std::string>& more) {
    auto all = flags;
    all.insert(all.end(), more.begin(), more.end());
    const Done done = generate(all);
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    return Json::parse(done.out);
  };
  const std::string whole = with({})["text"];
  ASSERT_GT(whole.size(), 12u);
  // Whole characters from the middle: of several tokens, as each is a byte.
  size_t from = whole.size() / 2;
  while ((whole[from] & 0xC0) == 0x80) from++;
  size_t to = from + 3;
  while (to < whole.size() && (whole[to] & 0xC0) == 0x80) to++;
  const std::string stop = whole.substr(from, to - from);
  const std::string wanted = whole.substr(0, whole.find(stop));
  const Json cut = with({"--stop", Json::array({stop, "\u20ac\u20ac"}).dump()});
  EXPECT_EQ(cut["text"], wanted);
  EXPECT_EQ(cut["finish_reason"], "stop");
  EXPECT_EQ(cut["stop"], stop);
  EXPECT_LT(cut["ids"].size(), 30u);
  EXPECT_EQ(with({"--stop", Json::array({stop}).dump(), "--include-stop-str-in-output"})["text"],
            wanted + stop);
  EXPECT_EQ(with({"--echo"})["text"], "Hello" + whole);
  // Streamed, it is the same text.
  auto streaming = flags;
  streaming.back() = "--stop";
  streaming.push_back(Json::array({stop}).dump());
  EXPECT_EQ(generate(streaming).out, wanted + (wanted.ends_with('\n') ? "" : "\n"));
}

TEST_F(GenerateCli, RowsSayHowTheyAreSampled) {
  const auto rows = answers(
      "{\"id\":1,\"ids\":[256,1,2]}\n"
      "{\"id\":2,\"ids\":[256,1,2],\"max_tokens\":3,\"logprobs\":2,\"prompt_logprobs\":0}\n"
      "{\"id\":3,\"ids\":[256,1,2],\"allowed_token_ids\":[65],\"bad_words\":[[65,65,65]]}\n"
      "{\"id\":4,\"ids\":[256,1,2],\"logit_bias\":{\"66\":100}}\n"
      "{\"id\":5,\"ids\":[256,1,2],\"top_p\":2}\n"
      "{\"id\":6,\"ids\":[256,1,2],\"temperature\":2,\"seed\":7}\n"
      "{\"id\":7,\"ids\":[256,1,2],\"temperature\":2,\"seed\":7}\n"
      "{\"id\":8,\"ids\":[256,1,2],\"temperature\":2,\"seed\":8}\n",
      {"--max-tokens", "8", "--temperature", "0", "--ignore-eos"}, 65);
  ASSERT_EQ(rows.size(), 8u);
  EXPECT_EQ(rows[0]["ids"].size(), 8u);
  EXPECT_FALSE(rows[0].contains("logprobs"));
  EXPECT_EQ(rows[1]["ids"].size(), 3u);
  ASSERT_EQ(rows[1]["logprobs"].size(), 3u);
  const Json& first = rows[1]["logprobs"][0];
  EXPECT_EQ(first["id"], rows[1]["ids"][0]);
  EXPECT_EQ(first["top"].size(), 2u);
  EXPECT_EQ(first["top"][0]["logprob"], first["logprob"]);  // greedy
  ASSERT_EQ(rows[1]["prompt_logprobs"].size(), 3u);
  EXPECT_TRUE(rows[1]["prompt_logprobs"][0].is_null());
  EXPECT_EQ(rows[1]["prompt_logprobs"][2]["id"], 2);
  EXPECT_LT(rows[1]["prompt_logprobs"][2]["logprob"].get<double>(), 0);
  EXPECT_NE(rows[2]["error"]["message"].get<std::string>().find("no token is left"),
            std::string::npos);
  EXPECT_EQ(rows[3]["ids"], Json::parse("[66,66,66,66,66,66,66,66]"));
  EXPECT_NE(rows[4]["error"]["message"].get<std::string>().find(
                "in.jsonl:5: top_p: got 2, expected more than 0, at most 1"),
            std::string::npos);
  EXPECT_EQ(rows[5]["ids"], rows[6]["ids"]);
  EXPECT_NE(rows[5]["ids"], rows[7]["ids"]);
}

// A random model at temperature 1: only the grammar keeps what it writes in shape.
TEST_F(GenerateCli, WritesOnlyWhatTheGrammarOfARowAllows) {
  const std::string schema = R"({"type": "object", "properties": {"n": {"type": "integer",
      "minimum": 0, "maximum": 99}, "on": {"type": "boolean"}}, "required": ["n", "on"],
      "additionalProperties": false})";
  const std::vector<std::string> forms = {
      R"("structured_outputs": {"json": )" + schema + "}",
      R"("response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": )" +
          schema + "}}",
      R"("structured_outputs": {"regex": "[0-9]{2}:[0-9]{2}"})",
      R"("structured_outputs": {"choice": ["left", "right"]})",
      R"("structured_outputs": {"grammar": "start: \"<\" /[a-z]/ \">\""})",
      R"("structured_outputs": {"json": {"type": "no-type"}})",
      R"("max_tokens": 5)"};
  std::string rows;
  for (size_t i = 0; i < 42; i++) {
    std::string row = R"({"id": "#", "ids": [72, 105], "seed": #, )" + forms[i % 7] + "}\n";
    for (size_t at; (at = row.find('#')) != std::string::npos;)
      row.replace(at, 1, std::to_string(i));
    std::erase(row, '\n');
    rows += row + "\n";
  }
  const auto done = answers(rows, {"--temperature", "1", "--max-tokens", "250"}, 65);
  ASSERT_EQ(done.size(), 42U);
  for (size_t i = 0; i < done.size(); i++) {
    const size_t form = i % 7;
    if (form == 5) {
      EXPECT_NE(done[i]["error"]["message"].get<std::string>().find("structured_outputs.json"),
                std::string::npos);
      continue;
    }
    ASSERT_FALSE(done[i].contains("error")) << done[i];
    const auto text = done[i]["text"].get<std::string>();
    const Json value = form <= 1 ? Json::parse(text, nullptr, false) : Json::object();
    EXPECT_EQ(done[i]["finish_reason"], form == 6 ? "length" : "stop") << text;
    const bool right[] = {value.value("n", 100) <= 99 && value.contains("on"),
                          value.value("n", 100) <= 99 && value.contains("on"),
                          text.size() == 5 && text[2] == ':',
                          text == "left" || text == "right",
                          text.size() == 3 && text.front() == '<',
                          false,
                          true};
    EXPECT_TRUE(right[form]) << text;
  }
}

TEST_F(GenerateCli, LogprobsDoNotDependOnTheBatch) {
  std::string rows;
  for (int i = 0; i < 6; i++) {
    rows += "{\"id\":" + std::to_string(i) + ",\"prompt\":\"" +
            std::string(static_cast<size_t>(1 + 9 * i), static_cast<char>('a' + i)) + "\"}\n";
  }
  std::vector<Json> expected;
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--max-num-seqs", "1"},
                                                {"--prefill-chunk", "5", "--threads", "2"},
                                                {"--isa", "scalar", "--kv-blocks", "9"}}) {
    std::vector<std::string> all = flags;
    all.insert(all.end(),
               {"--max-tokens", "9", "--temperature", "0.7", "--seed", "3", "--top-p", "0.9",
                "--repetition-penalty", "1.2", "--logprobs", "5", "--prompt-logprobs", "1"});
    const std::vector<Json> got = answers(rows, all);
    if (expected.empty()) expected = got;
    EXPECT_EQ(got, expected);
  }
}

TEST_F(GenerateCli, AnswersMistakesWithTheirExitCodes) {
  const auto expect = [](const Done& done, int code, const std::string& part) {
    EXPECT_EQ(done.exit_code, code) << done.errors;
    EXPECT_NE(done.errors.find(part), std::string::npos) << done.errors;
    EXPECT_EQ(done.out, "");
  };
  expect(generate({"--prompt", "x", "--max-token", "3"}), 64, "did you mean --max-tokens?");
  expect(generate({"--prompt", "x", "--prompts", "y"}), 64, "more than one");
  expect(generate({"--prompt", "x", "--out", "y"}), 64, "--out without --prompts");
  expect(generate({"--prompt", "x", "--system", "y"}), 64, "--system without --chat");
  expect(generate({"--prompt", "x", "--logprobs", "2"}), 64, "without --json or --prompts");
  expect(generate({"--prompt", "x", "--logit-bias", "{\"1\": 101}"}), 64,
         "logit_bias[1]: got 101, expected -100 to 100");
  expect(generate({"--prompt", "x", "--stop", "[3]"}), 64, "stop[0]: got 3");
  expect(generate({"--prompt", "x", "--presence-penalty", "3"}), 64, "a number from -2 to 2");
  expect(generate({"--prompt", ""}, ""), 64, "empty prompt");
  expect(generate({"--prompts", file("none.jsonl")}), 66, "none.jsonl");
  expect(generate({"--prompt", "x", "--kv-blocks", "1", "--max-model-len", "100"}), 71,
         "at most 32 tokens");
  expect(strata({"generate", folder() / "nothing", "--prompt", "x"}), 66, "nothing");
}

TEST_F(GenerateCli, WorksWithIdsWhereThereIsNoTokenizer) {
  const fs::path bare = file("bare");
  fs::create_directories(bare);
  for (const char* name : {"config.json", "model.safetensors", "generation_config.json"}) {
    fs::copy_file(model() / name, bare / name, fs::copy_options::overwrite_existing);
  }
  std::ofstream(file("in.jsonl")) << "{\"id\":1,\"ids\":[256,1,2]}\n{\"id\":2,\"prompt\":\"x\"}\n";
  const Done done = strata(
      {"generate", bare, "--prompts", file("in.jsonl"), "--max-tokens", "3", "--threads", "1"});
  EXPECT_EQ(done.exit_code, 65);
  std::istringstream lines(done.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_TRUE(Json::parse(line)["text"].is_null());
  EXPECT_EQ(Json::parse(line)["ids"].size(), 3u);
  std::getline(lines, line);
  EXPECT_NE(line.find("no tokenizer.json"), std::string::npos);
}

TEST_F(GenerateCli, EndsCleanlyOnCtrlC) {
  std::string rows;
  for (int i = 0; i < 2000; i++) rows += "{\"id\":" + std::to_string(i) + ",\"ids\":[256,1,2]}\n";
  std::ofstream(file("in.jsonl")) << rows;
  std::error_code ignored;
  fs::remove(file("out.jsonl"), ignored);
  const pid_t child = start(
      {binary(), "generate", model(), "--prompts", file("in.jsonl"), "--out", file("out.jsonl"),
       "--threads", "1", "--max-tokens", "60", "--ignore-eos", "--max-num-seqs", "2"},
      "/dev/null");
  // The first answers show that it is generating.
  while (read_file(file("out.jsonl")).empty()) {
    ASSERT_EQ(waitpid(child, nullptr, WNOHANG), 0) << read_file(file("stderr"));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  kill(child, SIGINT);
  const Done done = finish(child);
  EXPECT_EQ(done.exit_code, 130);
  EXPECT_NE(done.errors.find("interrupted"), std::string::npos);
  std::istringstream lines(read_file(file("out.jsonl")));
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(Json::accept(line)) << line;
}

// The model that comes with the repository: it stops by itself, and answers the same from any
// kernel.
TEST_F(GenerateCli, TalksToPebble) {
  const fs::path pebble = fs::path(environment("STRATA_SOURCE_DIR")) / "models" / "pebble";
  Json first;
  for (const char* isa : {"auto", "scalar"}) {
    const Done done = strata({"generate", pebble, "--chat", "--prompt", "What is 3 plus 4?",
                              "--json", "--threads", "1", "--isa", isa});
    ASSERT_EQ(done.exit_code, 0) << done.errors;
    const Json answer = Json::parse(done.out);
    EXPECT_EQ(answer["finish_reason"], "stop");
    EXPECT_FALSE(answer["text"].get<std::string>().empty());
    if (first.is_null()) first = answer;
    EXPECT_EQ(answer, first);
  }
}

TEST_F(GenerateCli, OtherCommandsPrintJson) {
  const Json inspected = Json::parse(strata({"inspect", model(), "--json"}).out);
  EXPECT_EQ(inspected["family"], "llama");
  EXPECT_NE(strata({"--help"}).out.find("generate"), std::string::npos);
}

TEST_F(GenerateCli, TracesReplayAndStatisticsAddUpInEveryMode) {
  std::string rows;
  for (int i = 0; i < 12; i++) {
    rows += "{\"id\":" + std::to_string(i) + ",\"ids\":[256," + std::to_string(i % 3) +
            "],\"max_tokens\":" + std::to_string(1 + i * 5 % 37) + ",\"ignore_eos\":true}\n";
  }
  const std::string replay = fs::path(environment("STRATA_BINARY_DIR")) / "strata-replay";
  std::vector<Json> first;
  for (const char* batching : {"continuous", "static"}) {
    for (const char* mode : {"paged", "reserve-max", "ngram"}) {
      const bool guesses = std::string(mode) == "ngram";
      const auto got =
          answers(rows, {"--batching", batching, guesses ? "--speculative" : "--kv", mode,
                         "--max-num-seqs", "4", "--max-model-len", "64", "--trace-steps",
                         file("trace.jsonl"), "--stats", file("stats.json")});
      if (first.empty()) first = got;
      EXPECT_EQ(got, first) << batching << " " << mode;
      const Json stats = Json::parse(read_file(file("stats.json")));
      EXPECT_EQ(stats["requests"], 12);
      EXPECT_EQ(stats["tokens_in"], 24);
      EXPECT_EQ(stats["running"], 0);
      EXPECT_EQ(stats["accepted_drafts"] > 0, guesses) << stats;
      const Done done = run({replay, file("trace.jsonl"), "--print"});
      EXPECT_EQ(done.exit_code, 0) << done.errors;
      EXPECT_TRUE(done.out.starts_with("plan 1: ")) << done.out;
      EXPECT_TRUE(done.out.ends_with(" steps, 0 differences\n")) << done.out;
    }
  }
  const std::string trace = read_file(file("trace.jsonl"));
  std::ofstream(file("cut.jsonl")) << trace.substr(0, trace.size() / 2);
  const Done cut = run({replay, file("cut.jsonl")});
  EXPECT_EQ(cut.exit_code, 65);
  EXPECT_NE(cut.errors.find("the line has no end: the trace was cut"), std::string::npos);
  std::ofstream(file("other.jsonl")) << [&] {
    std::string other = trace;
    const size_t at = other.find("\"rows\":2");
    return other.replace(at, 8, "\"rows\":1");
  }();
  EXPECT_EQ(run({replay, file("other.jsonl")}).exit_code, 1);
  EXPECT_EQ(run({replay, "--prin", file("trace.jsonl")}).exit_code, 2);
}

TEST_F(GenerateCli, ComparesSchedulesWithoutAModel) {
  std::ofstream(file("lengths.csv")) << "# in,out\n4,9\n4,1\n4,1\n4,4\n";
  std::vector<std::string> flags = {"bench",      "schedule", "--lengths",      file("lengths.csv"),
                                    "--requests", "4",        "--step-us",      "100",
                                    "--row-us",   "0",        "--max-num-seqs", "2"};
  const Done table = strata(flags);
  EXPECT_EQ(table.exit_code, 0) << table.errors;
  EXPECT_NE(table.out.find("continuous over static: 1.44 x"), std::string::npos) << table.out;
  flags.push_back("--json");
  const Json json = Json::parse(strata(flags).out);
  EXPECT_EQ(json["cases"][2]["batching"], "static");
  EXPECT_EQ(json["cases"][2]["steps"], 13);
  std::ofstream(file("lengths.csv")) << "4,9\n4;1\n";
  const Done bad = strata(flags);
  EXPECT_EQ(bad.exit_code, 65);
  EXPECT_NE(bad.errors.find("lengths.csv:2"), std::string::npos) << bad.errors;
}

// Two batches of two, and what steps took at 1, 2 and 8 rows beside their context.
TEST_F(GenerateCli, PricesSchedulesByTheStatisticsOfARun) {
  std::ofstream(file("lengths.csv")) << "4,9\n4,1\n4,1\n4,4\n";
  const auto prices = [](const std::string& stats) {
    std::ofstream(file("stats.json")) << stats;
    return strata({"bench", "schedule", "--lengths", file("lengths.csv"), "--requests", "4",
                   "--max-num-seqs", "2", "--prices", file("stats.json"), "--json"});
  };
  const auto group = [](int rows, double us, double context) {
    return Json({{"rows", rows}, {"steps", 100}, {"mean_us", us}, {"mean_context", context}});
  };
  Json stats = {{"price_context_us", 0.5},
                {"steps_by_rows", {group(1, 60, 20), group(2, 80, 40), group(8, 150, 100)}}};
  const Done done = prices(stats.dump());
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  const Json json = Json::parse(done.out);
  EXPECT_EQ(json["context_us"], 0.5);
  // Static: 8 rows and 8 of one, then 8 rows and 3 of one, at 100 and 50 us; contexts 4 + 4 and 5
  // to 12, 4 + 4 and 5 to 7.
  EXPECT_NEAR(json["cases"][2]["seconds"].get<double>(),
              (2 * 100 + 11 * 50 + 0.5 * (8 + 68 + 8 + 18)) * 1e-6, 1e-9);
  const auto refused = [&](const std::string& text, const std::string& why) {
    const Done bad = prices(text);
    EXPECT_EQ(bad.exit_code, 65) << bad.errors;
    EXPECT_NE(bad.errors.find("stats.json: " + why), std::string::npos) << bad.errors;
  };
  refused(R"({"steps_by_rows": []})", "price_context_us: got missing");
  refused(R"({"price_context_us": 1})", "steps_by_rows");
  refused(R"({"price_context_us": -1, "steps_by_rows": []})", "price_context_us");
  refused(R"({"price_context_us": 1, "steps_by_rows": []})",
          "steps_by_rows: expected steps of ascending");
  refused(R"({"price_context_us": 1, "steps_by_rows": [7]})", "steps_by_rows[0]");
  stats["steps_by_rows"][1].erase("mean_context");
  refused(stats.dump(), "steps_by_rows[1]: mean_context");
}

}  // namespace
}  // namespace strata::testing
