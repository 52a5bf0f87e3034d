// Rows of guessed tokens by example: who gets some, what limits them, what becomes of the wrong
// ones. Random acceptance is the simulator's (tests/sim).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sched/scheduler.h"

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

Request request(int64_t id, int64_t prompt, int64_t max_tokens) {
  return {.id = static_cast<RequestId>(id), .prompt_tokens = prompt, .max_tokens = max_tokens};
}

// Answers every yielding row with `accepted` right guesses, as far as there are some, and offers
// `offered` more.
class Runner {
 public:
  explicit Runner(const SchedulerConfig& config)
      : scheduler_(std::move(*Scheduler::create(config))) {}

  const StepPlan& step(StepInput input = {}) {
    for (const Request& request : input.arrivals) most_[value(request.id)] = request.max_tokens;
    if (value(plan_.id) > 0) input.completions.push_back(result());
    plan_ = scheduler_.schedule(input);
    EXPECT_EQ(scheduler_.audit(), "");
    return plan_;
  }
  void finish() {
    for (int i = 0; !scheduler_.idle(); i++) {
      ASSERT_LT(i, 1000) << "some request never ends";
      step();
    }
  }
  const SequenceStep& rows_of(size_t i) const { return plan_.sequences.at(i); }
  const SchedulerStats& stats() const { return scheduler_.stats(); }

  int64_t offered = 3;
  int64_t accepted = 0;

 private:
  // A request has one sequence, so their ids are the same.
  StepResult result() {
    StepResult result{.plan = plan_.id};
    for (const SequenceStep& step : plan_.sequences) {
      if (!step.yields_token) continue;
      SequenceResult& made = result.sequences.emplace_back();
      made.sequence = step.sequence;
      made.drafts = offered;
      const int64_t id = value(step.sequence);
      for (int64_t i = 0; i <= std::min(accepted, step.drafts) && !made.finished; i++) {
        made.tokens.push_back(7);
        if (--most_[id] == 0) made.finished = FinishReason::kLength;
      }
    }
    return result;
  }

  Scheduler scheduler_;
  StepPlan plan_;
  std::map<int64_t, int64_t> most_;  // tokens left, by sequence
};

TEST(Drafts, FollowTheLastTokenAndGoBackWhereTheyAreWrong) {
  Runner runner(wide_config());
  runner.accepted = 1;
  runner.step({.arrivals = {request(1, 5, 20)}});
  EXPECT_EQ(runner.rows_of(0).drafts, 0);  // nobody has guessed yet
  runner.step();
  EXPECT_EQ(runner.rows_of(0).first_position, 5);
  EXPECT_EQ(runner.rows_of(0).rows, 4);
  EXPECT_EQ(runner.rows_of(0).drafts, 3);
  EXPECT_TRUE(runner.rows_of(0).yields_token);
  EXPECT_EQ(runner.rows_of(0).frames[0].size(), 3u);
  runner.step();
  EXPECT_EQ(runner.rows_of(0).first_position, 7);
  EXPECT_EQ(runner.stats().drafts, 6);
  EXPECT_EQ(runner.stats().accepted_drafts, 1);
  runner.finish();
}

TEST(Drafts, LeaveTheirBlocksToTheRowsThatFollow) {
  Runner runner(wide_config());
  runner.step({.arrivals = {request(1, 7, 20)}});
  EXPECT_EQ(runner.step().allocated.size(), 2u);  // positions 7 to 10: a block of each group
  const std::vector<std::vector<int64_t>> frames = runner.rows_of(0).frames;
  runner.offered = 0;
  runner.step();
  EXPECT_EQ(runner.rows_of(0).first_position, 8);
  EXPECT_EQ(runner.rows_of(0).frames[0], frames[0]);
  EXPECT_EQ(runner.step().allocated.size(), 0u);
  runner.finish();
}

// The block at positions 0 to 3 is outside the window of a row at 9, and inside that of one at 8.
TEST(Drafts, KeepWhatTheWindowOfTheNextRowSees) {
  Runner runner(wide_config());
  runner.step({.arrivals = {request(1, 6, 20)}});
  runner.step();
  EXPECT_EQ(runner.rows_of(0).rows, 4);  // positions 6 to 9
  runner.step();
  EXPECT_EQ(runner.rows_of(0).first_position, 7);
  EXPECT_GE(runner.rows_of(0).frames[1][0], 0);
  runner.accepted = 3;
  runner.step();
  EXPECT_EQ(runner.rows_of(0).first_position, 11);
  EXPECT_EQ(runner.rows_of(0).frames[1][0], -1);
  runner.finish();
}

TEST(Drafts, GetTheRowsThatPromptsLeave) {
  Runner runner(wide_config());
  runner.offered = 8;
  runner.step({.arrivals = {request(1, 4, 20), request(2, 4, 20)}});
  runner.step({.arrivals = {request(3, 30, 1)}});
  ASSERT_EQ(runner.step().sequences.size(), 3u);
  EXPECT_EQ(runner.rows_of(2).rows, 14);
  EXPECT_EQ(runner.rows_of(0).drafts + runner.rows_of(1).drafts, 0);
  ASSERT_EQ(runner.step().sequences.size(), 3u);
  EXPECT_EQ(runner.rows_of(2).rows, 2);
  EXPECT_EQ(runner.rows_of(0).drafts, 8);
  EXPECT_EQ(runner.rows_of(1).drafts, 4);
  runner.finish();
}

TEST(Drafts, StopAtEveryLimit) {
  SchedulerConfig config = wide_config();
  config.max_logit_rows = 5;
  config.prefill_chunk = 4;
  Runner runner(config);
  runner.offered = 8;
  runner.step({.arrivals = {request(1, 4, 20), request(2, 4, 3)}});
  runner.step();
  EXPECT_EQ(runner.rows_of(0).drafts, 3);  // a chunk
  EXPECT_EQ(runner.rows_of(1).drafts, 0);  // logits of 5 rows
  runner.finish();
  EXPECT_EQ(runner.stats().accepted_drafts, 0);

  Runner last(wide_config());
  last.offered = last.accepted = 8;
  last.step({.arrivals = {request(1, 4, 3)}});
  last.step();
  EXPECT_EQ(last.rows_of(0).rows, 2);  // the third token is sampled and never computed
  last.step();
  EXPECT_TRUE(last.step().sequences.empty());
}

// 6 blocks of 4 tokens for two sequences: each fills two, and one of them takes the two that are
// free.
TEST(Drafts, MakeNobodyGiveWay) {
  Runner runner({.max_sequences = 2,
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

TEST(Drafts, GiveEveryPositionsLogitsOnce) {
  Runner runner(wide_config());
  runner.accepted = 1;
  Request wanted = request(1, 5, 20);
  wanted.all_logits = true;
  runner.step({.arrivals = {wanted}});
  runner.step();
  EXPECT_TRUE(runner.rows_of(0).all_logits);
  runner.step();
  EXPECT_TRUE(runner.rows_of(0).all_logits);
  EXPECT_EQ(runner.rows_of(0).first_position, 7);
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
