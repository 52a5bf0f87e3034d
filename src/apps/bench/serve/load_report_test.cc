// Statistics of made-up runs, by hand.
#include "apps/bench/serve/load_report.h"

#include <gtest/gtest.h>

#include "apps/bench/serve/load_page.h"

namespace strata::apps {
namespace {

RequestOutcome answered(double start_s, double first_s, std::vector<double> gaps_s,
                        int64_t tokens) {
  double last = first_s;
  for (const double gap : gaps_s) last += gap;
  return {.start_s = start_s,
          .first_s = first_s,
          .last_s = last,
          .end_s = last,
          .gaps_s = std::move(gaps_s),
          .prompt_tokens = 10,
          .answer_tokens = tokens};
}

LoadRun some_run() {
  return {.model = "m<1>",
          .outcomes = {answered(0, 0.1, {0.01, 0.03}, 5),
                       answered(1, 1.5, {0.1}, 2),
                       {.error = "http 429", .detail = "full", .start_s = 1, .end_s = 1.01},
                       {.error = "http 503", .delay_s = 0.25, .start_s = 1, .end_s = 1.03},
                       {.error = "timeout", .start_s = 0, .end_s = 60}},
          .duration_s = 2,
          .most_at_once = 2};
}

TEST(PercentileTest, LiesBetweenTheNearest) {
  EXPECT_EQ(percentile({}, 0.5), 0);
  EXPECT_EQ(percentile({3}, 0.99), 3);
  EXPECT_DOUBLE_EQ(percentile({1, 2, 3, 4}, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(percentile({0, 10}, 0.9), 9);
  EXPECT_EQ(percentile({1, 2, 9}, 0.5), 2);
}

TEST(LoadReportTest, CountsTokensOfUsageAndTimesOfEvents) {
  const Json report = report_json(some_run(), *parse_slo("ttft:200,tpot:50"));
  EXPECT_EQ(report["completed"], 2);
  EXPECT_EQ(report["failed"], 3);
  EXPECT_EQ(report["total_input_tokens"], 20);
  EXPECT_EQ(report["total_output_tokens"], 7);
  EXPECT_EQ(report["output_throughput"], 3.5);
  EXPECT_EQ(report["request_goodput"], 0.5);  // the second is too late
  EXPECT_EQ(report["errors"], (Json{{"http 429", 1}, {"http 503", 1}, {"timeout", 1}}));
  EXPECT_EQ(report["refused"], 2);
  EXPECT_NEAR(report["p50_refusal_ms"].get<double>(), 20, 1e-9);
  EXPECT_NEAR(report["max_refusal_ms"].get<double>(), 30, 1e-9);
  EXPECT_EQ(report["max_send_delay_ms"], 250);
  EXPECT_NEAR(report["mean_ttft_ms"].get<double>(), 300, 1e-9);
  EXPECT_NEAR(report["p50_itl_ms"].get<double>(), 30, 1e-9);
  EXPECT_NEAR(report["mean_tpot_ms"].get<double>(), (10 + 100) / 2.0, 1e-9);  // 40 ms of 4 tokens
  EXPECT_NEAR(report["p99_e2el_ms"].get<double>(), 140 + 0.99 * 460, 1e-9);
  EXPECT_NEAR(report["p90_ttft_ms"].get<double>(), 100 + 0.9 * 400, 1e-9);
  EXPECT_NEAR(report["max_itl_ms"].get<double>(), 100, 1e-9);
  EXPECT_NEAR(report["std_ttft_ms"].get<double>(), 200, 1e-9);
  EXPECT_EQ(report["total_token_throughput"], 13.5);
  EXPECT_EQ(report["request_throughput"], 1);
  EXPECT_EQ(report["itls"].size(), 2u);
  const std::string table = report_table(report);
  for (const char* text : {"failed: http 429", "full", "first token (TTFT)", "within the SLO",
                           "until a refusal", "sent late"}) {
    EXPECT_TRUE(table.contains(text)) << text;
  }
  EXPECT_FALSE(report_json(some_run(), {}).contains("request_goodput"));
  const Json none = report_json({}, {});
  EXPECT_EQ(none["p99_itl_ms"], 0);
  for (const char* text : {"refusal", "late"}) EXPECT_FALSE(report_table(none).contains(text));
}

TEST(LoadReportTest, ComparesTwoRuns) {
  LoadRun faster = some_run();
  faster.duration_s = 1;
  const auto table = comparison_table(report_json(some_run(), {}), report_json(faster, {}));
  ASSERT_TRUE(table) << table.error().message();
  const auto line = [&](const std::string& label) {
    const size_t at = table->find("\n" + label + " ") + 1;
    return table->substr(at, table->find('\n', at) - at);
  };
  EXPECT_TRUE(line("requests/s").ends_with("+100.0 %")) << *table;
  EXPECT_TRUE(line("seconds").ends_with("-50.0 %")) << *table;
  EXPECT_TRUE(table->contains("itl p99, ms"));
  EXPECT_TRUE(table->contains("refusal p99, ms"));
  Json old = report_json(some_run(), {});
  old.erase("refused");  // a file of before they were counted
  const auto without = comparison_table(old, report_json(faster, {}));
  ASSERT_TRUE(without) << without.error().message();
  EXPECT_FALSE(without->contains("refusal"));
  const auto odd = comparison_table(Json::object(), report_json(faster, {}));
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().what, "completed");
}

TEST(LoadReportTest, TellsLimitsFromNonsense) {
  const auto slo = parse_slo("e2el:1.5");
  ASSERT_TRUE(slo);
  EXPECT_EQ(slo->e2el_ms, 1.5);
  EXPECT_FALSE(parse_slo("")->any());
  for (const char* bad : {"ttft", "ttft:", "ttft:0", "ttft:1x", "itl:5", ":5"}) {
    const auto odd = parse_slo(bad);
    ASSERT_FALSE(odd) << bad;
    EXPECT_EQ(odd.error().what, "--slo");
  }
}

TEST(LoadPageTest, FetchesNothingAndEscapesNames) {
  const std::string page = report_page(report_json(some_run(), {}), "strata --model \"<x>\"");
  EXPECT_TRUE(page.contains("<h1>m&lt;1></h1>"));
  EXPECT_FALSE(page.contains("<x>"));
  EXPECT_FALSE(page.contains("://"));
  size_t plots = 0;
  for (size_t at = page.find("<svg"); at != std::string::npos; at = page.find("<svg", at + 1)) {
    plots++;
  }
  EXPECT_EQ(plots, 5u);
  EXPECT_FALSE(page.contains("nan"));
  EXPECT_FALSE(report_page(report_json({}, {}), "").contains("nan"));
}

}  // namespace
}  // namespace strata::apps
