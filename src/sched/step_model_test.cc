// Schedules whose cost can be counted by hand.
#include "sched/step_model.h"

#include <gtest/gtest.h>

#include <vector>

namespace strata::sched {
namespace {

SchedulerConfig config_of(Batching batching, int64_t reserve_tokens) {
  return {.max_sequences = 2,
          .max_batched_tokens = 8,
          .prefill_chunk = 8,
          .max_logit_rows = 2,
          .block_tokens = 4,
          .slabs = 8,
          .groups = {{.frames_per_slab = 1, .window = 0}},
          .prefix_caching = false,
          .batching = batching,
          .reserve_tokens = reserve_tokens};
}

// A long answer and three short ones; a step takes 100 us and 1 us for each row.
ModelOutcome run(Batching batching, int64_t reserve_tokens = 0) {
  const std::vector<ModelRequest> requests = {{4, 9}, {4, 1}, {4, 1}, {4, 4}};
  const StepCosts costs = {.by_rows = {{1, 101}, {8, 108}}};
  const auto outcome = run_step_model(config_of(batching, reserve_tokens), requests, costs);
  EXPECT_TRUE(outcome) << outcome.error().message();
  return outcome.value_or(ModelOutcome{});
}

TEST(StepModel, CountsStepsAndRowsOfAContinuousSchedule) {
  // The long one's 9 steps hide all others. Rows: 16 of prompts, 8 + 3 of answers.
  const ModelOutcome outcome = run(Batching::kContinuous);
  EXPECT_EQ(outcome.steps, 9);
  EXPECT_EQ(outcome.tokens_out, 15);
  EXPECT_NEAR(outcome.seconds, 927e-6, 1e-9);
  EXPECT_NEAR(outcome.mean_running, (9 * 103.0 + 6 * 103.0) / 927, 0.05);
}

TEST(StepModel, CountsStepsAndRowsOfAStaticSchedule) {
  // Two batches: 9 steps, then 4.
  const ModelOutcome outcome = run(Batching::kStatic);
  EXPECT_EQ(outcome.steps, 13);
  EXPECT_NEAR(outcome.seconds, 1327e-6, 1e-9);
}

TEST(StepModel, CountsWasteOfReservedBlocks) {
  // 8 blocks hold one reservation of 20 tokens: one after another.
  const ModelOutcome outcome = run(Batching::kContinuous, 20);
  EXPECT_EQ(outcome.steps, 15);
  EXPECT_EQ(outcome.mean_running, 1);
  EXPECT_GT(outcome.kv_waste_share, 0.5);
  EXPECT_LT(run(Batching::kContinuous).kv_waste_share, 0.4);
}

// Steps of 8 rows and of 1; what is measured at 2 and 6 rows says the rest.
TEST(StepModel, StepsCostWhatWasMeasuredAtTheirRows) {
  const std::vector<ModelRequest> requests = {{8, 3}};
  const StepCosts costs = {.by_rows = {{2, 50}, {4, 60}, {6, 120}}};
  const auto outcome =
      run_step_model(config_of(Batching::kContinuous, 0), requests, costs).value_or(ModelOutcome{});
  EXPECT_NEAR(outcome.seconds, (160 + 50 + 50) * 1e-6, 1e-9);
  const std::vector<ModelRequest> shorter = {{5, 1}};
  const auto between =
      run_step_model(config_of(Batching::kContinuous, 0), shorter, costs).value_or(ModelOutcome{});
  EXPECT_NEAR(between.seconds, 90e-6, 1e-9);
}

// By hand: a prompt of 8 and two tokens more look at 8, 9 and 10.
TEST(StepModel, StepsCostWhatTheirContextCosts) {
  const StepCosts costs = {.by_rows = {{1, 50}, {2, 60}, {8, 120}}, .context_us = 0.5};
  const SchedulerConfig config = config_of(Batching::kContinuous, 0);
  const std::vector<ModelRequest> alone = {{8, 3}};
  const auto one = run_step_model(config, alone, costs).value_or(ModelOutcome{});
  EXPECT_NEAR(one.seconds, (120 + 2 * 50 + 0.5 * (8 + 9 + 10)) * 1e-6, 1e-12);
  // Rows 6 + 2, 1 + 1 and 1.
  const std::vector<ModelRequest> both = {{6, 3}, {2, 2}};
  const auto two = run_step_model(config, both, costs).value_or(ModelOutcome{});
  EXPECT_EQ(two.steps, 3);
  EXPECT_NEAR(two.seconds, (120 + 60 + 50 + 0.5 * ((6 + 2) + (7 + 3) + 8)) * 1e-6, 1e-12);
  // A prompt in pieces of 8: the second looks at the first, too.
  const std::vector<ModelRequest> pieces = {{10, 1}};
  const auto cut = run_step_model(config, pieces, costs).value_or(ModelOutcome{});
  EXPECT_EQ(cut.steps, 2);
  EXPECT_NEAR(cut.seconds, (120 + 60 + 0.5 * (8 + 10)) * 1e-6, 1e-12);
}

TEST(StepModel, RefusesWhatCannotRun) {
  const StepCosts costs = {.by_rows = {{1, 1}}};
  const SchedulerConfig config = config_of(Batching::kContinuous, 0);
  const std::vector<ModelRequest> huge = {{4, 1}, {40, 1}};
  EXPECT_EQ(run_step_model(config, huge, costs).error().message(),
            "request 2 cannot fit into the KV pool: got 10 blocks needed, expected at most 8");
  EXPECT_FALSE(run_step_model(config, {}, costs));
  for (const std::vector<StepCost>& bad : std::vector<std::vector<StepCost>>{{},
                                                                             {{0, 1}},
                                                                             {{-1, 1}, {4, 1}},
                                                                             {{4, 1}, {4, 2}},
                                                                             {{1, -1}, {4, 1}},
                                                                             {{1, 0}, {4, 0}}}) {
    EXPECT_FALSE(run_step_model(config, huge, {.by_rows = bad}));
  }
  const auto below = run_step_model(config, huge, {.by_rows = {{1, 1}}, .context_us = -0.5});
  ASSERT_FALSE(below);
  EXPECT_EQ(below.error().message(), "the cost of context: got -0.5, expected at least 0");
}

}  // namespace
}  // namespace strata::sched
