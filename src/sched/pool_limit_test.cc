// A pool that may use fewer of its slabs than it has, by example. Random limits are the simulator's
// (tests/sim).
#include <gtest/gtest.h>

#include "sched/serialize.h"
#include "sched/test_driver.h"

namespace strata::sched {
namespace {

// Two blocks of four tokens a slab.
SchedulerConfig config() {
  return {.max_sequences = 4,
          .max_batched_tokens = 16,
          .prefill_chunk = 16,
          .max_logit_rows = 4,
          .block_tokens = 4,
          .slabs = 8,
          .groups = {{.frames_per_slab = 2, .window = 0}}};
}

TEST(FrameAllocator, TakesNoSlabBeyondItsLimit) {
  FrameAllocator frames(3, {2});
  frames.set_limit(1);
  EXPECT_EQ(frames.take(0), 0);
  EXPECT_EQ(frames.take(0), 1);
  EXPECT_EQ(frames.free_slabs(), 0);
  EXPECT_EQ(frames.take(0), std::nullopt);
  frames.set_limit(3);
  EXPECT_EQ(frames.free_slabs(), 2);
  EXPECT_EQ(frames.take(0), 2);
}

TEST(BlockManager, GivesCachedBlocksUpForItsLimit) {
  BlockManager blocks(4, {1});
  for (uint64_t i = 0; i < 3; i++) {
    const BlockId block = *blocks.allocate(0);
    blocks.publish(block, {1, i});
    if (i > 0) blocks.release(block);
  }
  blocks.set_slab_limit(2);
  EXPECT_TRUE(blocks.obey_limit());
  EXPECT_FALSE(blocks.find(0, {1, 1}));  // the oldest went
  EXPECT_TRUE(blocks.find(0, {1, 2}));
  EXPECT_EQ(blocks.audit({1}), "");
  blocks.retain(*blocks.find(0, {1, 2}));
  blocks.set_slab_limit(1);
  EXPECT_FALSE(blocks.obey_limit());
  EXPECT_NE(blocks.audit({1, 0, 1}), "");
}

TEST(PoolLimit, TheLastInOrderGiveWayAndComeBack) {
  Driver driver(config());
  driver.step({.arrivals = {request(1, 8, 4), request(2, 8, 4)}});
  EXPECT_EQ(driver.scheduler().blocks().owned_slabs(0), 2);
  const StepPlan plan = driver.step({.slab_limit = 2});
  ASSERT_EQ(plan.preempted.size(), 1u);  // each needs two slabs for its next token
  EXPECT_EQ(value(plan.preempted[0]), 2);
  driver.finish();
  EXPECT_EQ(driver.stats().preemptions, 1);
}

TEST(PoolLimit, WhoFitsNoMoreIsRefusedWithTheNumbers) {
  Driver driver(config());
  driver.step({.arrivals = {request(1, 8, 1), request(2, 16, 9), request(3, 20, 9)}});
  const StepPlan plan = driver.step({.slab_limit = 1});
  ASSERT_EQ(plan.refused.size(), 2u);
  EXPECT_EQ(value(plan.refused[0].request), 2);  // it ran
  EXPECT_EQ(plan.refused[0].needed_blocks, 6);
  EXPECT_EQ(plan.refused[0].pool_blocks, 2);
  EXPECT_EQ(value(plan.refused[1].request), 3);  // it waited
  driver.finish();
  EXPECT_EQ(driver.step({.arrivals = {request(4, 12, 1)}}).refused.size(), 1u);
}

TEST(PoolLimit, BlocksThatAPlanStillReadsAreWaitedFor) {
  SchedulerConfig deep = config();
  deep.depth = 2;
  Scheduler scheduler = std::move(*Scheduler::create(deep));
  const StepPlan first = scheduler.schedule({.arrivals = {request(1, 8, 4), request(2, 8, 4)}});
  const StepPlan second = scheduler.schedule({.slab_limit = 1});
  EXPECT_TRUE(second.freed.empty());
  EXPECT_EQ(scheduler.audit(), "");
  StepResult done{.plan = first.id};
  for (const SequenceStep& step : first.sequences) done.sequences.push_back({step.sequence, {7}});
  const StepPlan third = scheduler.schedule({.completions = {done, {.plan = second.id}}});
  EXPECT_FALSE(third.freed.empty());
  EXPECT_LE(scheduler.blocks().owned_slabs(0), 1);
  EXPECT_EQ(scheduler.audit(), "");
}

TEST(PoolLimit, WhoGivesWayWithGuessesUnderWayStartsOverWhole) {
  SchedulerConfig deep = config();
  deep.depth = 2;
  deep.max_logit_rows = 16;
  Scheduler scheduler = std::move(*Scheduler::create(deep));
  const auto answer = [](const StepPlan& plan) {
    StepResult done{.plan = plan.id};
    for (const SequenceStep& step : plan.sequences) {
      done.sequences.push_back({.sequence = step.sequence, .tokens = {7}, .drafts = 3});
    }
    return done;
  };
  Request wanted = request(2, 8, 8);
  wanted.all_logits = true;
  const StepPlan first = scheduler.schedule({.arrivals = {request(1, 8, 8), wanted}});
  const StepPlan second = scheduler.schedule({.completions = {answer(first)}});
  ASSERT_EQ(second.sequences.at(1).drafts, 3);
  const StepPlan third = scheduler.schedule({.slab_limit = 2});  // each holds two
  ASSERT_EQ(third.preempted.size(), 1u);
  const StepPlan fourth = scheduler.schedule({.completions = {answer(second), {.plan = third.id}}});
  EXPECT_LE(scheduler.blocks().owned_slabs(0), 2);
  EXPECT_EQ(scheduler.audit(), "");
  // Nine positions' logits have been given, so these rows are computed again without; none of the
  // guesses was right.
  const StepPlan fifth =
      scheduler.schedule({.completions = {answer(fourth)}, .slab_limit = deep.slabs});
  ASSERT_EQ(fifth.sequences.size(), 2u);
  EXPECT_EQ(fifth.sequences[1].rows, 9);
  EXPECT_FALSE(fifth.sequences[1].all_logits);
}

TEST(PoolLimit, TravelsWithTheInput) {
  const StepInput input{.now_us = 1, .slab_limit = 3};
  EXPECT_EQ(*step_input_from_json(to_json(input)), input);
  EXPECT_FALSE(to_json(StepInput{}).contains("slab_limit"));
  Scheduler scheduler = std::move(*Scheduler::create(config()));
  EXPECT_FALSE(scheduler.check({.slab_limit = 0}));
  EXPECT_FALSE(scheduler.check({.slab_limit = 9}));
  EXPECT_TRUE(scheduler.check({.slab_limit = 8}));
}

}  // namespace
}  // namespace strata::sched
