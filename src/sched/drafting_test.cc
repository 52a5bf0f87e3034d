// Rows of guessed tokens by example: who gets some, what limits them, what becomes of the wrong
// ones. Random acceptance is the simulator's (tests/sim).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sched/test_driver.h"

namespace strata::sched {
namespace {

// One group that keeps everything, one with a window of 6; 4 tokens a block.
SchedulerConfig wide_config() {
  return {.max_sequences = 4,
          .max_batched_tokens = 16,
          .prefill_chunk = 16,
          .max_logit_rows = 16,
          .block_tokens = 4,
          .slabs = 16,
          .groups = {{.frames_per_slab = 2, .window = 0}, {.frames_per_slab = 4, .window = 6}}};
}

// Every result offers guesses; nearly all are wrong unless a test says otherwise.
Driver guessing(const SchedulerConfig& config) {
  Driver made(config);
  made.offered = 3;
  return made;
}

TEST(Drafts, FollowTheLastTokenAndGoBackWhereTheyAreWrong) {
  Driver runner = guessing(wide_config());
  runner.accepted = 1;
  runner.step({.arrivals = {request(1, 5, 20)}});
  EXPECT_EQ(runner.rows(0).drafts, 0);  // nobody has guessed yet
  runner.step();
  EXPECT_EQ(runner.rows(0).first_position, 5);
  EXPECT_EQ(runner.rows(0).rows, 4);
  EXPECT_EQ(runner.rows(0).drafts, 3);
  EXPECT_TRUE(runner.rows(0).yields_token);
  EXPECT_EQ(runner.rows(0).frames[0].size(), 3u);
  runner.step();
  EXPECT_EQ(runner.rows(0).first_position, 7);
  EXPECT_EQ(runner.stats().drafts, 6);
  EXPECT_EQ(runner.stats().accepted_drafts, 1);
  runner.finish();
}

TEST(Drafts, LeaveTheirBlocksToTheRowsThatFollow) {
  Driver runner = guessing(wide_config());
  runner.step({.arrivals = {request(1, 7, 20)}});
  EXPECT_EQ(runner.step().allocated.size(), 2u);  // positions 7 to 10: a block of each group
  const std::vector<std::vector<int64_t>> frames = runner.rows(0).frames;
  runner.offered = 0;
  runner.step();
  EXPECT_EQ(runner.rows(0).first_position, 8);
  EXPECT_EQ(runner.rows(0).frames[0], frames[0]);
  EXPECT_EQ(runner.step().allocated.size(), 0u);
  runner.finish();
}

// The block at positions 0 to 3 is outside the window of a row at 9, and inside that of one at 8.
TEST(Drafts, KeepWhatTheWindowOfTheNextRowSees) {
  Driver runner = guessing(wide_config());
  runner.step({.arrivals = {request(1, 6, 20)}});
  runner.step();
  EXPECT_EQ(runner.rows(0).rows, 4);  // positions 6 to 9
  runner.step();
  EXPECT_EQ(runner.rows(0).first_position, 7);
  EXPECT_GE(runner.rows(0).frames[1][0], 0);
  runner.accepted = 3;
  runner.step();
  EXPECT_EQ(runner.rows(0).first_position, 11);
  EXPECT_EQ(runner.rows(0).frames[1][0], -1);
  runner.finish();
}

TEST(Drafts, GetTheRowsThatPromptsLeave) {
  Driver runner = guessing(wide_config());
  runner.offered = 8;
  runner.step({.arrivals = {request(1, 4, 20), request(2, 4, 20)}});
  runner.step({.arrivals = {request(3, 30, 1)}});
  ASSERT_EQ(runner.step().sequences.size(), 3u);
  EXPECT_EQ(runner.rows(2).rows, 14);
  EXPECT_EQ(runner.rows(0).drafts + runner.rows(1).drafts, 0);
  ASSERT_EQ(runner.step().sequences.size(), 3u);
  EXPECT_EQ(runner.rows(2).rows, 2);
  EXPECT_EQ(runner.rows(0).drafts, 8);
  EXPECT_EQ(runner.rows(1).drafts, 4);
  runner.finish();
}

TEST(Drafts, StopAtEveryLimit) {
  SchedulerConfig config = wide_config();
  config.max_logit_rows = 5;
  config.prefill_chunk = 4;
  Driver runner = guessing(config);
  runner.offered = 8;
  runner.step({.arrivals = {request(1, 4, 20), request(2, 4, 3)}});
  runner.step();
  EXPECT_EQ(runner.rows(0).drafts, 3);  // a chunk
  EXPECT_EQ(runner.rows(1).drafts, 0);  // logits of 5 rows
  runner.finish();
  EXPECT_EQ(runner.stats().accepted_drafts, 0);

  Driver last = guessing(wide_config());
  last.offered = last.accepted = 8;
  last.step({.arrivals = {request(1, 4, 3)}});
  last.step();
  EXPECT_EQ(last.rows(0).rows, 2);  // the third token is sampled and never computed
  last.step();
  EXPECT_TRUE(last.step().sequences.empty());
}

// 6 blocks of 4 tokens for two sequences: each fills two, and one of them takes the two that are
// free.
TEST(Drafts, MakeNobodyGiveWay) {
  Driver runner = guessing({.max_sequences = 2,
                            .max_batched_tokens = 32,
                            .prefill_chunk = 16,
                            .max_logit_rows = 32,
                            .block_tokens = 4,
                            .slabs = 6,
                            .groups = {{}}});
  runner.offered = 15;
  runner.step({.arrivals = {request(1, 5, 15), request(2, 5, 9)}});
  const StepPlan& plan = runner.step();
  EXPECT_EQ(plan.sequences[0].rows, 11);  // up to the end of the fourth block
  EXPECT_EQ(plan.sequences[1].rows, 3);   // and of the second
  EXPECT_EQ(runner.stats().preemptions, 0);
  runner.finish();
}

TEST(Drafts, HoldTheirSequenceUntilTheyAreJudged) {
  SchedulerConfig config = wide_config();
  config.depth = 2;
  auto scheduler = Scheduler::create(config);
  ASSERT_TRUE(scheduler);
  StepPlan plan = scheduler->schedule({.arrivals = {request(1, 5, 20)}});
  const SequenceId id = plan.sequences[0].sequence;
  plan = scheduler->schedule({});  // the row of the token that is on its way
  ASSERT_EQ(plan.sequences.size(), 1u);
  // Guesses at what follows the first token, while the second is on its way: of no use.
  plan = scheduler->schedule(
      {.completions = {{static_cast<PlanId>(1), {{id, {5}, std::nullopt, {}, 3}}}}});
  ASSERT_EQ(plan.sequences.size(), 1u);
  EXPECT_EQ(plan.sequences[0].drafts, 0);
  plan = scheduler->schedule(
      {.completions = {{static_cast<PlanId>(2), {{id, {5}, std::nullopt, {}, 3}}},
                       {static_cast<PlanId>(3), {{id, {5}, std::nullopt, {}, 3}}}}});
  EXPECT_EQ(plan.sequences[0].drafts, 3);
  EXPECT_TRUE(scheduler->schedule({}).sequences.empty());
  plan = scheduler->schedule(
      {.completions = {{static_cast<PlanId>(4), {{id, {5, 5, 5}, std::nullopt, {}, 0}}}}});
  EXPECT_EQ(plan.sequences[0].first_position, 5 + 3 + 3 - 1);
  EXPECT_EQ(scheduler->audit(), "");
}

// Five frames, all taken: what the first one lacks cannot come from a sequence whose guesses are
// still being judged.
TEST(Drafts, KeepTheirSequenceFromGivingWay) {
  auto scheduler = Scheduler::create({.max_sequences = 2,
                                      .max_batched_tokens = 32,
                                      .prefill_chunk = 16,
                                      .max_logit_rows = 32,
                                      .block_tokens = 4,
                                      .slabs = 5,
                                      .groups = {{}},
                                      .depth = 2});
  ASSERT_TRUE(scheduler);
  StepPlan plan = scheduler->schedule({.arrivals = {request(1, 7, 8), request(2, 5, 10)}});
  ASSERT_EQ(plan.sequences.size(), 2u);
  const SequenceId first = plan.sequences[0].sequence, second = plan.sequences[1].sequence;
  plan = scheduler->schedule(
      {.completions = {
           {plan.id, {{first, {5}, std::nullopt, {}, 0}, {second, {5}, std::nullopt, {}, 3}}}}});
  ASSERT_EQ(plan.sequences.size(), 2u);
  EXPECT_EQ(plan.sequences[1].drafts, 3);  // up to position 8, in the fifth frame
  plan = scheduler->schedule({});          // position 8 of the first one needs a frame
  EXPECT_TRUE(plan.sequences.empty());
  EXPECT_TRUE(plan.preempted.empty());
  EXPECT_EQ(scheduler->audit(), "");
}

TEST(Drafts, GiveEveryPositionsLogitsOnce) {
  Driver runner = guessing(wide_config());
  runner.accepted = 1;
  Request wanted = request(1, 5, 20);
  wanted.all_logits = true;
  runner.step({.arrivals = {wanted}});
  runner.step();
  EXPECT_TRUE(runner.rows(0).all_logits);
  runner.step();
  EXPECT_TRUE(runner.rows(0).all_logits);
  EXPECT_EQ(runner.rows(0).first_position, 7);
  runner.finish();
}

// A block is found under the hash of its tokens once rows of those very tokens have filled it.
TEST(Drafts, OnlyRightOnesAreFoundInTheCache) {
  auto scheduler = Scheduler::create(wide_config());
  ASSERT_TRUE(scheduler);
  StepPlan plan = scheduler->schedule({.arrivals = {request(1, 3, 20)}});
  const SequenceId id = plan.sequences[0].sequence;
  const BlockHash first{1, 1}, second{1, 2};
  plan = scheduler->schedule(
      {.completions = {{plan.id, {{id, {5}, std::nullopt, {first}, 8}}}}});  // rows 3 to 11
  EXPECT_EQ(plan.sequences[0].drafts, 8);
  EXPECT_TRUE(scheduler->blocks().find(0, first));  // row 3 is certain
  // Rows 3 to 6 were right, the guess at 7 was not: this plan's row fills the second block.
  plan = scheduler->schedule(
      {.completions = {{plan.id, {{id, {5, 5, 5, 5}, std::nullopt, {second}, 0}}}}});
  EXPECT_EQ(plan.sequences[0].first_position, 7);
  EXPECT_TRUE(scheduler->blocks().find(0, second));
  EXPECT_EQ(scheduler->audit(), "");
}

}  // namespace
}  // namespace strata::sched
