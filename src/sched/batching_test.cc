// Who may start beside whom: static batches, reserved blocks, and who goes on while others wait for
// a block to share. Random traffic is the simulator's (tests/sim).
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "sched/test_driver.h"

namespace strata::sched {
namespace {

SchedulerConfig config_of(int64_t slabs) {
  return {.max_sequences = 3,
          .max_batched_tokens = 16,
          .prefill_chunk = 8,
          .max_logit_rows = 6,
          .block_tokens = 4,
          .slabs = slabs,
          .groups = {{.frames_per_slab = 1, .window = 0}}};
}

TEST(Batching, FillsAFreePlaceAtOnceWhereItIsContinuous) {
  Driver steps(config_of(64));
  steps.step(
      {.arrivals = {request(1, 2, 1), request(2, 2, 9), request(3, 2, 5), request(4, 2, 2)}});
  EXPECT_EQ(steps.scheduler().waiting_for(), WaitingCounts{.capacity = 1});
  steps.step();
  EXPECT_EQ(steps.started(4), 2);
}

TEST(Batching, LetsNobodyJoinAStaticBatch) {
  SchedulerConfig config = config_of(64);
  config.batching = Batching::kStatic;
  Driver steps(config);
  steps.step(
      {.arrivals = {request(1, 2, 1), request(2, 2, 9), request(3, 2, 5), request(4, 2, 2)}});
  for (int i = 0; i < 8; i++) {
    steps.step();
    EXPECT_EQ(steps.scheduler().waiting_for(), WaitingCounts{.capacity = 1});
  }
  EXPECT_EQ(steps.started(4), 0) << "the second one still runs";
  steps.step();
  EXPECT_EQ(steps.started(4), 10);
  EXPECT_EQ(steps.started(3), 1);
  steps.finish();
}

TEST(Batching, StartsAStaticBatchOverSeveralStepsWhereRowsRunOut) {
  SchedulerConfig config = config_of(64);
  config.batching = Batching::kStatic;
  config.max_batched_tokens = 8;
  Driver steps(config);
  // The first one is done before the third one starts; its place is not given to the fourth.
  steps.step(
      {.arrivals = {request(1, 8, 2), request(2, 8, 4), request(3, 8, 4), request(4, 8, 4)}});
  EXPECT_EQ(steps.scheduler().waiting_for(), WaitingCounts{.budget = 3});
  for (int i = 0; i < 3; i++) steps.step();
  EXPECT_EQ(steps.started(2), 2);
  EXPECT_EQ(steps.started(3), 3);
  EXPECT_EQ(steps.started(4), 0);
  steps.finish();
  EXPECT_GT(steps.started(4), 5);
}

TEST(Batching, LetsNobodyJoinAStaticBatchThatBlocksKeptSmall) {
  SchedulerConfig config = config_of(6);
  config.batching = Batching::kStatic;
  Driver steps(config);
  steps.step({.arrivals = {request(1, 5, 2), request(2, 5, 4), request(3, 5, 2)}});
  EXPECT_EQ(steps.scheduler().waiting_for(), WaitingCounts{.blocks = 1});
  for (int i = 0; i < 3; i++) steps.step();
  EXPECT_EQ(steps.started(3), 0) << "there is room since the first one's end";
  steps.finish();
  EXPECT_EQ(steps.started(3), 5);
}

TEST(Batching, KeepsReservedBlocksThatAWindowHasLeft) {
  SchedulerConfig config = config_of(9);
  config.prefix_caching = false;
  config.reserve_tokens = 16;
  config.groups[0].window = 2;
  Driver steps(config);
  EXPECT_EQ(steps.step({.arrivals = {request(1, 8, 8)}}).allocated.size(), 4u);
  for (int i = 0; i < 6; i++) {
    const StepPlan& plan = steps.step();
    EXPECT_TRUE(plan.freed.empty() && plan.allocated.empty()) << "plan " << value(plan.id);
  }
}

TEST(Batching, ReservesEverythingAtTheStart) {
  SchedulerConfig config = config_of(9);
  config.prefix_caching = false;
  config.reserve_tokens = 16;
  Driver steps(config);
  // 9 blocks hold two reservations of 4, although the prompts fill only one block each.
  const StepPlan plan =
      steps.step({.arrivals = {request(1, 2, 2), request(2, 2, 2), request(3, 2, 2)}});
  EXPECT_EQ(plan.allocated.size(), 8u);
  EXPECT_EQ(plan.sequences[0].frames[0].size(), 1u) << "rows see what they need";
  EXPECT_EQ(steps.scheduler().waiting_for(), WaitingCounts{.blocks = 1});
  const KvUse use = steps.scheduler().kv_use()[0];
  EXPECT_EQ(use.held_tokens, 32);
  EXPECT_EQ(use.unused_tokens, 28);
  steps.finish();
  EXPECT_EQ(steps.started(3), 3);
}

TEST(Batching, ReservesMoreForWhoMayComputeMore) {
  SchedulerConfig config = config_of(9);
  config.prefix_caching = false;
  config.reserve_tokens = 4;
  Driver steps(config);
  EXPECT_EQ(steps.step({.arrivals = {request(1, 2, 7)}}).allocated.size(), 2u);
  EXPECT_EQ(steps.step({.arrivals = {request(2, 2, 60)}}).refused.size(), 1u);
}

TEST(Batching, DoesNotShareReservedBlocks) {
  SchedulerConfig config = config_of(9);
  config.reserve_tokens = 16;
  EXPECT_FALSE(Scheduler::create(config)) << "with the prefix cache on";
  config.prefix_caching = false;
  Driver steps(config);
  Request two = request(1, 6, 2);
  two.sequences = 2;
  EXPECT_EQ(steps.step({.arrivals = {two}}).allocated.size(), 8u) << "each gets its own";
  EXPECT_TRUE(steps.step().copies.empty());
}

TEST(Batching, GoesOnBehindOneThatWaitsForASharedBlock) {
  Driver steps(config_of(64));
  steps.step({.arrivals = {request(1, 8, 3, 5), request(2, 8, 3, 5), request(3, 2, 3)}});
  EXPECT_EQ(steps.started(3), 1) << "the second one waits for the first one's block, not the third";
  EXPECT_EQ(steps.scheduler().waiting_for(), WaitingCounts{.shared_block = 1});
  EXPECT_EQ(steps.scheduler().passed_over(), std::vector<RequestId>{static_cast<RequestId>(2)});
  steps.step();
  EXPECT_EQ(steps.started(2), 2);
  EXPECT_EQ(steps.scheduler().stats().cached_tokens, 4);
  EXPECT_TRUE(steps.scheduler().passed_over().empty());
}

TEST(Batching, KeepsThePlaceOfWhoWaitsForASharedBlock) {
  SchedulerConfig config = config_of(64);
  config.max_sequences = 2;
  Driver steps(config);
  steps.step({.arrivals = {request(1, 8, 3, 5), request(2, 8, 3, 5), request(3, 2, 3)}});
  EXPECT_EQ(steps.started(3), 0);
  steps.step();
  EXPECT_EQ(steps.started(2), 2);
}

TEST(Batching, LeavesTheBlocksOfWhoWaitsForASharedBlock) {
  // The first takes 2 blocks, the second needs up to 2 and one each may grow: the third has no
  // room.
  Driver steps(config_of(6));
  steps.step({.arrivals = {request(1, 8, 3, 5), request(2, 8, 3, 5), request(3, 8, 3)}});
  EXPECT_EQ(steps.started(3), 0);
  EXPECT_EQ(steps.scheduler().waiting_for(), (WaitingCounts{.blocks = 1, .shared_block = 1}));
  steps.step();
  EXPECT_EQ(steps.started(2), 2);
}

}  // namespace
}  // namespace strata::sched
