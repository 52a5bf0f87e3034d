// What an engine tells of its run: statistics that add up, and a trace that replays.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "engine/stats_recorder.h"
#include "engine/test_running.h"
#include "sched/trace.h"

namespace strata::engine {
namespace {

using testing::Outcome;
using testing::plain;
using testing::Running;

std::string temporary(const char* name) {
  return (std::filesystem::temp_directory_path() / name).string();
}

std::vector<Json> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

EngineStats stats_after(EngineConfig config, const std::vector<GenerateRequest>& requests) {
  config.stats = temporary("strata_engine_stats_test.json");
  Running running(config);
  std::vector<Outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); i++) {
    outcomes[i].wants_logits = false;
    running.add(requests[i], outcomes[i]);
  }
  running.finish();
  EXPECT_TRUE(running.engine().close());
  const EngineStats stats = running.engine().stats();
  const std::vector<Json> written = {Json::parse(std::ifstream(config.stats))};
  EXPECT_EQ(written[0]["tokens_out"], stats.tokens_out);
  std::filesystem::remove(config.stats);
  return stats;
}

// Computes until the thread has had `ns` more of a processor.
void burn(int64_t ns) {
  const int64_t until = thread_cpu_ns() + ns;
  while (thread_cpu_ns() < until) continue;
}

TEST(EngineStats, ProcessorTimeIsThatOfHostWorkAlone) {
  constexpr int64_t kBurnt = 1'000'000;
  StepClock clock(real_env());
  clock.start();
  for (const Phase phase : {Phase::kForward, Phase::kSample, Phase::kDraft}) {
    burn(kBurnt);
    clock.lap(phase);
  }
  EXPECT_EQ(clock.host_cpu_ns(), 0);
  int64_t least = 0;
  for (const Phase phase : {Phase::kSchedule, Phase::kPrepare, Phase::kText, Phase::kRecord}) {
    burn(kBurnt);
    clock.lap(phase);
    EXPECT_GE(clock.host_cpu_ns(), least += kBurnt) << phase_name(phase);
  }
}

TEST(EngineStats, CountsTokensStepsAndBlocks) {
  const EngineStats stats = stats_after({.threads = 1, .max_num_seqs = 2, .max_model_len = 256},
                                        {plain(70, 5, 1), plain(10, 5, 2), plain(10, 1, 3)});
  EXPECT_EQ(stats.requests, 3);
  EXPECT_EQ(stats.tokens_in, 90);
  EXPECT_EQ(stats.tokens_out, 11);
  EXPECT_EQ(stats.rows, 90 + 4 + 4);
  EXPECT_EQ(stats.running, 0);
  EXPECT_EQ(stats.waiting, 0);
  ASSERT_EQ(stats.groups.size(), 2u);
  EXPECT_EQ(stats.groups[0].used_blocks, 0);
  EXPECT_EQ(stats.groups[0].cached_blocks, 2) << "of 74 positions";
  EXPECT_EQ(stats.groups[1].window, 40);
  EXPECT_GT(stats.groups[0].free_blocks, 0);
  EXPECT_GT(stats.mean_running, 1);
  EXPECT_LE(stats.mean_running, 2);
  EXPECT_GT(stats.kv_waste_share, 0);
  EXPECT_LT(stats.kv_waste_share, 1);
  EXPECT_GT(stats.rss_bytes, 0);
  for (size_t i = 0; i < kPhases; i++) {
    EXPECT_GT(stats.phases[i].sum_us, 0) << phase_name(static_cast<Phase>(i));
    EXPECT_LE(stats.phases[i].max_us, stats.phases[i].sum_us);
  }
  EXPECT_LT(stats.host_us(), stats.total_us());
  EXPECT_GT(stats.host_cpu_us, 0);
  int64_t steps = 0, rows = 0;
  double us = 0, context = 0;
  const Json json = to_json(stats);
  for (const Json& group : json["steps_by_rows"]) {
    steps += group["steps"].get<int64_t>();
    rows += group["steps"].get<int64_t>() * group["rows"].get<int64_t>();
    us += group["steps"].get<double>() * group["mean_us"].get<double>();
    context += group["steps"].get<double>() * group["mean_context"].get<double>();
  }
  EXPECT_EQ(steps, stats.steps);
  EXPECT_EQ(rows, stats.rows);
  EXPECT_GT(us, 0);
  EXPECT_NEAR(context, 70 + 71 + 72 + 73 + 74 + 10 + 11 + 12 + 13 + 14 + 10, 1e-6);
  EXPECT_LE(us, stats.total_us() * 1.000001) << "the last results are taken in without rows";
}

// Forty prompts one after another, and all of them again: a pool with room for all of them hits
// everything that can be hit, and one for half of them misses some of it.
TEST(EngineStats, PutsThePrefixHitsBesideTheBestPossible) {
  const auto hits = [](int64_t kv_blocks) {
    std::vector<GenerateRequest> requests;
    for (uint32_t i = 0; i < 80; i++) requests.push_back(plain(200, 2, i % 40));
    return stats_after(
        {.threads = 1, .max_num_seqs = 1, .kv_blocks = kv_blocks, .max_model_len = 256}, requests);
  };
  const EngineStats roomy = hits(400);
  EXPECT_EQ(roomy.tokens_in, 80 * 200);
  EXPECT_EQ(roomy.best_hit_tokens, 40 * 192);
  EXPECT_EQ(roomy.hit_tokens, 40 * 192) << "all of the full blocks that can be shared";
  const EngineStats tight = hits(8);
  EXPECT_EQ(tight.best_hit_tokens, 40 * 192);
  EXPECT_LT(tight.hit_tokens, 40 * 192);
}

TEST(EngineStats, FollowsTheBestHitsOnlyWhereStatisticsAreWanted) {
  Running running({.threads = 1, .max_num_seqs = 2, .max_model_len = 256});
  Outcome outcome;
  outcome.wants_logits = false;
  running.add(plain(70, 2, 1), outcome);
  running.finish();
  const EngineStats stats = running.engine().stats();
  EXPECT_EQ(stats.best_hit_tokens, std::nullopt);
  EXPECT_TRUE(to_json(stats)["prefix_best_share"].is_null());
  EXPECT_EQ(summary(stats).substr(0, 35), "1 requests, 70 tokens in, 2 out in ");
}

TEST(EngineStats, NamesEveryFieldOnce) {
  const Json json = to_json(EngineStats{});
  std::set<std::string> names;
  for (const auto& [name, value] : json.items()) EXPECT_TRUE(names.insert(name).second) << name;
  for (const char* name : {"waiting_shared_block", "schedule_us", "forward_max_us", "groups",
                           "steps_by_rows", "memory_bytes", "kv_waste_share", "prefix_hit_share"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(EngineTrace, ReplaysARunWithPreemptionsCancelsAndForks) {
  const std::string path = temporary("strata_engine_trace_test.jsonl");
  Running running({.threads = 2, .max_num_seqs = 64, .kv_blocks = 8, .trace_steps = path});
  std::vector<Outcome> outcomes(40);
  for (uint32_t i = 0; i < 40; i++) {
    outcomes[i].wants_logits = false;
    const int64_t prompt_tokens = 20 + i % 13;
    GenerateRequest request = plain(prompt_tokens, 256 - prompt_tokens, i % 29);
    request.n = i == 2 ? 3 : 1;
    const auto id = running.add(std::move(request), outcomes[i]);
    if (i == 5) running.engine().cancel(id);
  }
  running.finish();
  EXPECT_GT(running.engine().stats().scheduler.preemptions, 0);
  EXPECT_TRUE(running.engine().close());
  const std::vector<Json> lines = lines_of(path);
  std::filesystem::remove(path);
  ASSERT_GT(lines.size(), 40u);
  const auto header = sched::trace_header_from_json(lines[0]);
  ASSERT_TRUE(header) << header.error().message();
  auto replay = sched::Replay::create(*header);
  ASSERT_TRUE(replay) << replay.error().message();
  for (size_t i = 1; i + 1 < lines.size(); i++) {
    const auto step = sched::trace_step_from_json(lines[i]);
    ASSERT_TRUE(step) << step.error().message();
    const auto difference = replay->step(*step);
    ASSERT_TRUE(difference) << difference.error().message();
    EXPECT_EQ(*difference, std::nullopt);
  }
  EXPECT_EQ(lines.back()["steps"], lines.size() - 2);
}

// Before its first step: the scheduler learns of the request and of its end at once.
TEST(EngineCancel, EndsARequestThatHasNotBeenScheduled) {
  Running running({.threads = 1, .max_num_seqs = 2, .max_model_len = 128});
  Outcome outcome;
  running.engine().cancel(running.add(plain(10, 40, 1), outcome));
  running.finish();
  EXPECT_EQ(outcome.finished, sched::FinishReason::kCancelled);
  EXPECT_TRUE(outcome.ids.empty());
}

TEST(EngineTrace, RefusesAPathThatCannotBeWritten) {
  const auto opened = Running::shared_model().open();
  for (const bool trace : {true, false}) {
    EngineConfig config{.threads = 1, .max_model_len = 128};
    (trace ? config.trace_steps : config.stats) = "/nowhere/at/all";
    const auto resolved = resolve(config, testing::small_machine(), opened->spec(), opened->plan());
    ASSERT_TRUE(resolved);
    const auto engine = Engine::create(real_env(), *opened, *resolved, {.threads = 1});
    ASSERT_FALSE(engine);
    const std::string flag = trace ? "--trace-steps: /nowhere" : "--stats: /nowhere";
    EXPECT_EQ(engine.error().message().substr(0, flag.size()), flag);
  }
}

TEST(EngineBatching, GivesTheSameTextWithEveryModeOfBatchingAndKv) {
  const std::vector<GenerateRequest> requests = {
      testing::greedy(70, 8, 1), testing::greedy(9, 3, 2), testing::greedy(33, 5, 3),
      testing::greedy(70, 4, 1)};
  const std::vector<Outcome> expected = testing::each_alone(requests);
  for (const auto batching : {sched::Batching::kContinuous, sched::Batching::kStatic}) {
    for (const bool reserve_max : {false, true}) {
      Running running({.threads = 1,
                       .max_num_seqs = 2,
                       .max_model_len = 128,
                       .batching = batching,
                       .reserve_max = reserve_max});
      std::vector<Outcome> outcomes(requests.size());
      for (size_t i = 0; i < requests.size(); i++) running.add(requests[i], outcomes[i]);
      running.engine().step();
      // The first one's first 64 rows lie in two blocks; or all of 128 tokens are taken.
      EXPECT_EQ(running.engine().stats().groups[0].used_blocks, reserve_max ? 4 : 2);
      running.finish();
      for (size_t i = 0; i < requests.size(); i++) {
        testing::expect_same(outcomes[i], expected[i], std::to_string(i));
      }
    }
  }
}

}  // namespace
}  // namespace strata::engine
