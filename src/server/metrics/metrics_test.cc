// The text of a scrape, and that its table says what docs/metrics.md says. Counts under load are
// tested through the program (tests/api/metrics_cli_test.cc).
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "server/metrics/metric_table.h"
#include "server/metrics/test_exposition.h"

namespace strata::server {
namespace {

using testing::Exposition;

TEST(SamplesTest, WritesTheTextFormat) {
  static constexpr double kBounds[] = {0.005, 1, 2.5};
  engine::Histogram histogram(kBounds);
  for (const double value : {0.001, 2.0, 7.5}) histogram.add(value);
  Samples out(std::vector<Label>{{"model_name", "a\"b\\c\nd"}});
  out.begin("x:y_total", MetricKind::kCounter, "What");
  out.add(int64_t{1} << 52, {{"k", "v"}});
  out.add(0.25);
  out.begin("h", MetricKind::kHistogram, "How");
  out.add(histogram);
  EXPECT_EQ(out.take(),
            "# HELP x:y_total What\n# TYPE x:y_total counter\n"
            "x:y_total{model_name=\"a\\\"b\\\\c\\nd\",k=\"v\"} 4503599627370496\n"
            "x:y_total{model_name=\"a\\\"b\\\\c\\nd\"} 0.25\n"
            "# HELP h How\n# TYPE h histogram\n"
            "h_bucket{model_name=\"a\\\"b\\\\c\\nd\",le=\"0.005\"} 1\n"
            "h_bucket{model_name=\"a\\\"b\\\\c\\nd\",le=\"1\"} 1\n"
            "h_bucket{model_name=\"a\\\"b\\\\c\\nd\",le=\"2.5\"} 2\n"
            "h_bucket{model_name=\"a\\\"b\\\\c\\nd\",le=\"+Inf\"} 3\n"
            "h_sum{model_name=\"a\\\"b\\\\c\\nd\"} 9.501\n"
            "h_count{model_name=\"a\\\"b\\\\c\\nd\"} 3\n");
}

engine::EngineStats some_stats() {
  engine::EngineStats stats;
  stats.running = 3;
  stats.tokens_in = 70;
  stats.groups = {{.used_blocks = 3, .shared_blocks = 1, .cached_blocks = 2, .free_blocks = 1},
                  {.used_blocks = 1, .free_blocks = 9}};
  stats.memory = {{"weights", 100}};
  stats.answers.endings = {5, 6, 7, 8};
  stats.answers.first_token.add(0.3);
  return stats;
}

TEST(MetricTableTest, MakesWhatScrapersRead) {
  const engine::EngineStats stats = some_stats();
  HttpCounts http;
  http.answer(503, 40);
  Scrape scrape{.model_name = "m", .http = http, .loaded_share = 0.5};
  const Exposition loading(metrics_text(scrape));
  EXPECT_EQ(loading.value("strata:loaded_share"), 0.5);
  EXPECT_EQ(loading.value("strata:http_requests_total", "status=\"503\""), 1);
  EXPECT_FALSE(loading.has("vllm:num_requests_running"));

  const Scrape::Engine engine{.stats = stats, .block_tokens = 32};
  scrape.engine = &engine;
  const Exposition plain(metrics_text(scrape));
  EXPECT_EQ(plain.value("vllm:num_requests_running", "model_name=\"m\",engine=\"0\""), 3);
  EXPECT_EQ(plain.value("vllm:kv_cache_usage_perc"), 0.5);
  EXPECT_EQ(plain.value("strata:kv_blocks", "group=\"0\",state=\"exclusive\""), 2);
  EXPECT_EQ(plain.value("vllm:request_success_total", "finished_reason=\"abort\""), 7);
  EXPECT_EQ(plain.value("vllm:time_to_first_token_seconds_bucket", "le=\"0.25\""), 0);
  EXPECT_EQ(plain.value("vllm:time_to_first_token_seconds_bucket", "le=\"0.5\""), 1);
  EXPECT_FALSE(plain.has("vllm:gpu_cache_usage_perc"));

  scrape.old_names = true;
  const Exposition old(metrics_text(scrape));
  EXPECT_EQ(old.value("vllm:gpu_cache_usage_perc"), 0.5);
  EXPECT_EQ(old.metrics(), metrics().size());
}

// As stock boards, autoscalers and gateways name them.
TEST(MetricTableTest, HasEveryNameThatBoardsQuery) {
  const engine::EngineStats stats = some_stats();
  const HttpCounts http;
  const Scrape::Engine engine{.stats = stats};
  const Exposition all(metrics_text({.model_name = "m", .http = http, .engine = &engine}));
  for (const char* name : {"e2e_request_latency_seconds",
                           "time_to_first_token_seconds",
                           "inter_token_latency_seconds",
                           "prompt_tokens_total",
                           "generation_tokens_total",
                           "request_success_total",
                           "num_requests_running",
                           "num_requests_waiting",
                           "kv_cache_usage_perc",
                           "request_prompt_tokens",
                           "request_generation_tokens",
                           "request_max_num_generation_tokens",
                           "request_queue_time_seconds",
                           "request_prefill_time_seconds",
                           "request_decode_time_seconds",
                           "iteration_tokens_total",
                           "num_preemptions_total",
                           "prefix_cache_queries_total",
                           "prefix_cache_hits_total",
                           "request_time_per_output_token_seconds",
                           "request_inference_time_seconds",
                           "cache_config_info",
                           "num_requests_waiting_by_reason"}) {
    EXPECT_TRUE(all.has("vllm:" + std::string(name))) << name;
  }
}

TEST(MetricTableTest, DocumentIsUpToDate) {
  const char* source = std::getenv("STRATA_SOURCE_DIR");
  ASSERT_NE(source, nullptr) << "STRATA_SOURCE_DIR is not set: run through ctest";
  const std::string path = std::string(source) + "/docs/metrics.md";
  if (std::getenv("STRATA_UPDATE_DOCS") != nullptr) std::ofstream(path) << metrics_document();
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), metrics_document())
      << "run: STRATA_UPDATE_DOCS=1 build/<preset>/metrics_test";
}

}  // namespace
}  // namespace strata::server
