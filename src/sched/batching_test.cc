// Who may start beside whom: static batches, reserved blocks, and who goes on while others wait for
// a block to share. Random traffic is the simulator's (tests/sim).
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "sched/scheduler.h"

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

Request request(int64_t id, int64_t prompt, int64_t max_tokens, uint64_t family = 0) {
  Request made{.id = static_cast<RequestId>(id), .prompt_tokens = prompt, .max_tokens = max_tokens};
  const uint64_t blocks = family == 0 ? 0 : static_cast<uint64_t>(prompt) / 4;
  for (uint64_t i = 0; i < blocks; i++) made.block_hashes.push_back({family, i});
  return made;
}

// Carries plans out without a model; what it keeps is which request started in which step.
class Steps {
 public:
  explicit Steps(const SchedulerConfig& config) : scheduler_(*Scheduler::create(config)) {}

  const StepPlan& step(std::vector<Request> arrivals = {}) {
    StepInput input{.arrivals = std::move(arrivals)};
    for (const Request& arrival : input.arrivals) limits_[arrival.id] = arrival.max_tokens;
    if (value(plan_.id) > 0) input.completions.push_back(result());
    EXPECT_TRUE(scheduler_.check(input));
    plan_ = scheduler_.schedule(input);
    for (const Admission& admission : plan_.admitted) {
      started_[value(admission.request)] = value(plan_.id);
      request_of_[admission.sequence] = admission.request;
    }
    EXPECT_EQ(scheduler_.audit(), "");
    return plan_;
  }
  void finish() {
    for (int i = 0; !scheduler_.idle(); i++) {
      ASSERT_LT(i, 1000) << "some request never ends";
      step();
    }
  }
  /// The step in which the request started; 0: not yet.
  int64_t started(int64_t request) const {
    const auto found = started_.find(request);
    return found == started_.end() ? 0 : found->second;
  }
  const Scheduler& scheduler() const { return scheduler_; }

 private:
  StepResult result() {
    StepResult result{.plan = plan_.id};
    for (const SequenceStep& step : plan_.sequences) {
      if (!step.yields_token) continue;
      result.sequences.push_back({.sequence = step.sequence, .tokens = {7}});
      if (++generated_[step.sequence] == limits_.at(request_of_.at(step.sequence))) {
        result.sequences.back().finished = FinishReason::kLength;
      }
    }
    return result;
  }

  Scheduler scheduler_;
  StepPlan plan_;
  std::map<RequestId, int64_t> limits_;
  std::map<SequenceId, RequestId> request_of_;
  std::map<SequenceId, int64_t> generated_;
  std::map<int64_t, int64_t> started_;
};

TEST(Batching, FillsAFreePlaceAtOnceWhereItIsContinuous) {
  Steps steps(config_of(64));
  steps.step({request(1, 2, 1), request(2, 2, 9), request(3, 2, 5), request(4, 2, 2)});
  EXPECT_EQ(steps.scheduler().waiting_for(), WaitingCounts{.capacity = 1});
  steps.step();
  EXPECT_EQ(steps.started(4), 2);
}

TEST(Batching, LetsNobodyJoinAStaticBatch) {
  SchedulerConfig config = config_of(64);
  config.batching = Batching::kStatic;
  Steps steps(config);
  steps.step({request(1, 2, 1), request(2, 2, 9), request(3, 2, 5), request(4, 2, 2)});
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
  Steps steps(config);
  // The first one is done before the third one starts; its place is not given to the fourth.
  steps.step({request(1, 8, 2), request(2, 8, 4), request(3, 8, 4), request(4, 8, 4)});
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
  Steps steps(config);
  steps.step({request(1, 5, 2), request(2, 5, 4), request(3, 5, 2)});
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
  Steps steps(config);
  EXPECT_EQ(steps.step({request(1, 8, 8)}).allocated.size(), 4u);
  for (int i = 0; i < 6; i++) {
    const StepPlan& plan = steps.step();
    EXPECT_TRUE(plan.freed.empty() && plan.allocated.empty()) << "plan " << value(plan.id);
  }
}

TEST(Batching, ReservesEverythingAtTheStart) {
  SchedulerConfig config = config_of(9);
  config.prefix_caching = false;
  config.reserve_tokens = 16;
  Steps steps(config);
  // 9 blocks hold two reservations of 4, although the prompts fill only one block each.
  const StepPlan plan = steps.step({request(1, 2, 2), request(2, 2, 2), request(3, 2, 2)});
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
  Steps steps(config);
  EXPECT_EQ(steps.step({request(1, 2, 7)}).allocated.size(), 2u);
  EXPECT_EQ(steps.step({request(2, 2, 60)}).refused.size(), 1u);
}

TEST(Batching, DoesNotShareReservedBlocks) {
  SchedulerConfig config = config_of(9);
  config.reserve_tokens = 16;
  EXPECT_FALSE(Scheduler::create(config)) << "with the prefix cache on";
  config.prefix_caching = false;
  Steps steps(config);
  Request two = request(1, 6, 2);
  two.sequences = 2;
  EXPECT_EQ(steps.step({two}).allocated.size(), 8u) << "each gets its own";
  EXPECT_TRUE(steps.step().copies.empty());
}

TEST(Batching, GoesOnBehindOneThatWaitsForASharedBlock) {
  Steps steps(config_of(64));
  steps.step({request(1, 8, 3, 5), request(2, 8, 3, 5), request(3, 2, 3)});
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
  Steps steps(config);
  steps.step({request(1, 8, 3, 5), request(2, 8, 3, 5), request(3, 2, 3)});
  EXPECT_EQ(steps.started(3), 0);
  steps.step();
  EXPECT_EQ(steps.started(2), 2);
}

TEST(Batching, LeavesTheBlocksOfWhoWaitsForASharedBlock) {
  // The first takes 2 blocks, the second needs up to 2 and one each may grow: the third has no
  // room.
  Steps steps(config_of(6));
  steps.step({request(1, 8, 3, 5), request(2, 8, 3, 5), request(3, 8, 3)});
  EXPECT_EQ(steps.started(3), 0);
  EXPECT_EQ(steps.scheduler().waiting_for(), (WaitingCounts{.blocks = 1, .shared_block = 1}));
  steps.step();
  EXPECT_EQ(steps.started(2), 2);
}

}  // namespace
}  // namespace strata::sched
