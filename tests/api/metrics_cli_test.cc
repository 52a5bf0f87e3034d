// /metrics of the real program: scraped while clients are at work, and counted against what they
// asked for.
#include <atomic>

#include "api/serve_fixture.h"
#include "server/metrics/test_exposition.h"

namespace strata::testing {
namespace {

using server::testing::Exposition;

class MetricsCli : public ServeCli {
 protected:
  Exposition scrape(const std::string& fields = "") const {
    const Answer got = ask(get("/metrics", fields));
    EXPECT_EQ(got.status, 200);
    EXPECT_TRUE(got.has("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
    return Exposition(got.body);
  }
  // Each answers with `tokens` tokens.
  int64_t load(int clients, int each, int64_t tokens) const {
    std::vector<std::thread> threads;
    std::atomic<int64_t> prompt_tokens = 0;
    for (int client = 0; client < clients; client++) {
      threads.emplace_back([&, client] {
        for (int i = 0; i < each; i++) {
          const Json body =
              answer(kText, text_body("A story of " + std::to_string(client * 100 + i),
                                      {{"max_tokens", tokens}, {"ignore_eos", true}}));
          prompt_tokens += body["usage"]["prompt_tokens"].get<int64_t>();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return prompt_tokens;
  }
};

TEST_F(MetricsCli, CountsWhatClientsAskedForUnderLoad) {
  start_server({"--max-num-seqs", "4"});
  std::atomic<bool> ended = false;
  int scrapes = 0;
  std::thread scraper([&] {
    while (!ended) {
      const Exposition at = scrape();
      EXPECT_LE(at.value("vllm:num_requests_running"), 4);
      EXPECT_LE(at.value("vllm:kv_cache_usage_perc"), 1);
      scrapes++;
    }
  });
  constexpr int kAnswers = 24, kTokens = 9;
  const int64_t prompt_tokens = load(6, 4, kTokens);
  ended = true;
  scraper.join();
  EXPECT_GT(scrapes, 0);

  answer(kText, text_body("a", {{"top_p", 2}}), 400);
  const Exposition after = scrape();
  EXPECT_EQ(after.value("vllm:request_success_total", "finished_reason=\"length\""), kAnswers);
  EXPECT_EQ(after.value("vllm:request_success_total", "finished_reason=\"abort\""), 0);
  EXPECT_EQ(after.value("vllm:prompt_tokens_total"), prompt_tokens);
  EXPECT_EQ(after.value("vllm:prefix_cache_queries_total"), prompt_tokens);
  EXPECT_EQ(after.value("vllm:generation_tokens_total"), kAnswers * kTokens);
  EXPECT_EQ(after.value("vllm:time_to_first_token_seconds_count"), kAnswers);
  EXPECT_EQ(after.value("vllm:inter_token_latency_seconds_count"), kAnswers * (kTokens - 1));
  for (const char* name :
       {"vllm:e2e_request_latency_seconds", "vllm:request_queue_time_seconds",
        "vllm:request_prefill_time_seconds", "vllm:request_decode_time_seconds",
        "vllm:request_inference_time_seconds", "vllm:request_time_per_output_token_seconds",
        "vllm:request_max_num_generation_tokens", "vllm:request_params_n"}) {
    EXPECT_EQ(after.value(std::string(name) + "_count"), kAnswers) << name;
  }
  EXPECT_EQ(after.value("vllm:request_prompt_tokens_sum"), prompt_tokens);
  EXPECT_EQ(after.value("vllm:request_generation_tokens_sum"), kAnswers * kTokens);
  EXPECT_EQ(after.value("vllm:request_params_max_tokens_sum"), kAnswers * kTokens);
  EXPECT_EQ(after.value("vllm:iteration_tokens_total_sum"), after.value("strata:rows_total"));
  EXPECT_EQ(after.value("vllm:iteration_tokens_total_count"), after.value("strata:steps_total"));
  EXPECT_EQ(after.value("vllm:num_requests_running"), 0);
  EXPECT_EQ(after.value("vllm:num_requests_waiting"), 0);
  EXPECT_EQ(after.value("strata:requests_total"), kAnswers);
  EXPECT_GT(after.value("strata:memory_bytes", "tag=\"weights\""), 0);
  EXPECT_LE(after.value("vllm:e2e_request_latency_seconds_sum"),
            after.value("vllm:request_queue_time_seconds_sum") +
                after.value("vllm:request_inference_time_seconds_sum") + 1e-6);
  // An answer is counted once it has been sent: the last ones may be late.
  for (double counted = -1; counted != kAnswers + scrapes;) {
    const Exposition at = scrape();
    counted = at.value("strata:http_requests_total", "status=\"200\"");
    ASSERT_LE(counted, kAnswers + ++scrapes);
    EXPECT_LE(at.value("strata:http_requests_total", "status=\"400\""), 1);
  }
}

TEST_F(MetricsCli, CountsClientsThatWentAsAborts) {
  start_server();
  {
    Client client(port_);
    Json body = text_body("a", {{"max_tokens", 2000}, {"n", 3}, {"ignore_eos", true}});
    body["stream"] = true;
    client.send(post(kText, body.dump()));
    client.read_until("data: ");
  }
  while (scrape().value("vllm:num_requests_running") != 0) {
  }
  const Exposition after = scrape();
  EXPECT_EQ(after.value("vllm:request_success_total", "finished_reason=\"abort\""), 3);
  EXPECT_EQ(after.value("vllm:e2e_request_latency_seconds_count"), 0);
  EXPECT_EQ(after.value("strata:kv_blocks", "state=\"exclusive\""), 0);
  EXPECT_FALSE(after.has("vllm:gpu_cache_usage_perc"));
}

TEST_F(MetricsCli, AsksForAKeyAndHasOldNamesOnRequest) {
  start_server({"--api-key", "secret", "--metrics-old-names"});
  EXPECT_EQ(ask(get("/metrics")).status, 401);
  const Exposition at = scrape("Authorization: Bearer secret\r\n");
  EXPECT_EQ(at.value("vllm:gpu_cache_usage_perc"), 0);
  EXPECT_EQ(at.value("strata:ready", "model_name=\"tiny\",engine=\"0\""), 1);
}

}  // namespace
}  // namespace strata::testing
