// `strata bench serve` against `strata serve`: what the client counts must be what the server has
// counted.
#include "api/serve_fixture.h"
#include "server/metrics/test_exposition.h"

namespace strata::testing {
namespace {

using server::testing::Exposition;

class BenchServeCli : public ServeCli {
 protected:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  Exposition scrape() const { return Exposition(ask(get("/metrics")).body); }
  Done bench(std::vector<std::string> flags) const {
    std::vector<std::string> words = {"bench", "serve", "--url", url(), "--json", file("run.json")};
    words.insert(words.end(), flags.begin(), flags.end());
    return strata(words);
  }
  static Json report() { return parsed(read_file(file("run.json"))); }
};

int64_t sum(const Json& list) {
  int64_t all = 0;
  for (const Json& item : list) all += item.get<int64_t>();
  return all;
}

TEST_F(BenchServeCli, CountsWhatTheServerCounts) {
  start_server();
  for (const char* endpoint : {"completions", "chat"}) {
    const Exposition before = scrape();
    const Done done = bench({"--requests", "20", "--concurrency", "4", "--prompt-tokens", "60:90",
                             "--output-tokens", "9", "--seed", "3", "--endpoint", endpoint, "--slo",
                             "ttft:3600000", "--html", file("run.html")});
    ASSERT_EQ(done.exit_code, 0) << done.errors;
    const Json run = report();
    const Exposition after = scrape();
    EXPECT_EQ(run["completed"], 20);
    EXPECT_EQ(run["failed"], 0);
    EXPECT_EQ(run["model_id"], "tiny");
    EXPECT_EQ(run["max_concurrent_requests"], 4);
    EXPECT_EQ(run["total_output_tokens"], 20 * 9);
    EXPECT_EQ(run["request_goodput"], run["request_throughput"]);
    EXPECT_EQ(sum(run["input_lens"]), run["total_input_tokens"]);
    for (const Json& tokens : run["input_lens"]) {  // to about two words
      EXPECT_GE(tokens, 45);
      EXPECT_LE(tokens, 110);
    }
    // Two probes of one token each come first.
    const auto grown = [&](const char* name) { return after.value(name) - before.value(name); };
    EXPECT_EQ(grown("vllm:generation_tokens_total"), 20 * 9 + 2);
    EXPECT_EQ(grown("vllm:time_to_first_token_seconds_count"), 22);
    EXPECT_GT(grown("vllm:prompt_tokens_total"), run["total_input_tokens"].get<double>());
    EXPECT_TRUE(done.out.contains("generated tokens/s"));
    EXPECT_TRUE(read_file(file("run.html")).contains("</svg>"));
  }
}

TEST_F(BenchServeCli, SendsAtARateFromTablesAndDatasets) {
  start_server();
  std::ofstream(file("lengths.csv")) << "# prompt,answer\n30,4\n40,6\n50,8\n";
  ASSERT_EQ(
      bench({"--requests", "3", "--rate", "1000", "--lengths", file("lengths.csv")}).exit_code, 0);
  EXPECT_EQ(sum(report()["output_lens"]), 18);
  std::ofstream(file("rows.jsonl"))
      << chat_body({{"max_tokens", 5}, {"ignore_eos", true}}).dump() << "\n";
  fs::copy_file(file("run.json"), file("before.json"), fs::copy_options::overwrite_existing);
  const Done done =
      bench({"--requests", "4", "--rate", "500", "--burstiness", "0.5", "--dataset",
             file("rows.jsonl"), "--endpoint", "chat", "--compare", file("before.json")});
  ASSERT_EQ(done.exit_code, 0) << done.errors;
  EXPECT_EQ(report()["total_output_tokens"], 20);
  EXPECT_TRUE(done.out.contains("this run"));
}

TEST_F(BenchServeCli, CountsErrorsByKind) {
  start_server({"--max-num-seqs", "1", "--max-queued-requests", "1"});
  const Done full = bench({"--requests", "40", "--concurrency", "20", "--output-tokens", "40"});
  ASSERT_EQ(full.exit_code, 0) << full.errors;
  const Json run = report();
  EXPECT_GT(run["completed"], 0);
  EXPECT_GT(run["errors"]["http 429"], 0);
  EXPECT_EQ(run["completed"].get<int64_t>() + run["failed"].get<int64_t>(), 40);
  EXPECT_TRUE(full.out.contains("failed: http 429"));

  std::ofstream(file("rows.jsonl")) << R"({"prompt": "a", "top_p": 7})" << "\n";
  const Done wrong =
      bench({"--requests", "2", "--concurrency", "1", "--dataset", file("rows.jsonl")});
  ASSERT_EQ(wrong.exit_code, 69) << wrong.errors;
  EXPECT_EQ(report()["errors"]["http 400"], 2);
  EXPECT_TRUE(wrong.out.contains("top_p"));

  const Done nobody = strata({"bench", "serve", "--url", "http://127.0.0.1:1"});
  EXPECT_EQ(nobody.exit_code, 69);
  EXPECT_TRUE(nobody.errors.contains("is a server running at --url?")) << nobody.errors;
  const Done both = bench({"--rate", "3", "--concurrency", "3"});
  EXPECT_EQ(both.exit_code, 64);
}

TEST_F(BenchServeCli, ShowsWhatThereIsAfterCtrlC) {
  start_server();
  std::ofstream(file("stdin")) << "";
  const pid_t child =
      start({binary(), "bench", "serve", "--url", url(), "--json", file("run.json"), "--requests",
             "100000", "--concurrency", "4", "--prompt-tokens", "20", "--output-tokens", "4"},
            file("stdin"));
  while (scrape().value("vllm:request_success_total", "finished_reason=\"length\"") < 20) {
  }
  kill(child, SIGINT);
  const Done done = finish(child);
  ASSERT_EQ(done.exit_code, 130) << done.errors;
  const Json run = report();
  EXPECT_EQ(run["interrupted"], true);
  EXPECT_GT(run["completed"], 0);
  EXPECT_TRUE(done.out.contains("generated tokens/s"));
  expect_canary();
}

}  // namespace
}  // namespace strata::testing
