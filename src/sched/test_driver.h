// Carries out a scheduler's plans without a model, for tests: every row that yields a token brings
// one, and right guesses behind it; max_tokens ends a sequence. What is asserted is the test's.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "sched/scheduler.h"

namespace strata::sched {

/// With a family, the prompt's blocks (of four tokens) have names: equal ones can be shared.
inline Request request(int64_t id, int64_t prompt, int64_t max_tokens, uint64_t family = 0) {
  Request made{.id = static_cast<RequestId>(id), .prompt_tokens = prompt, .max_tokens = max_tokens};
  const uint64_t blocks = family == 0 ? 0 : static_cast<uint64_t>(prompt) / 4;
  for (uint64_t i = 0; i < blocks; i++) made.block_hashes.push_back({family, i});
  return made;
}

/// Every step answers the one before it; the scheduler's invariants are checked after each.
class Driver {
 public:
  explicit Driver(const SchedulerConfig& config, Plant plant = Plant::kNone)
      : scheduler_(std::move(*Scheduler::create_planted(config, plant))) {}

  const StepPlan& step(StepInput input = {}) {
    for (const Request& request : input.arrivals) limits_[request.id] = request.max_tokens;
    if (value(plan_.id) > 0) input.completions.push_back(result());
    EXPECT_TRUE(scheduler_.check(input));
    plan_ = scheduler_.schedule(input);
    for (const Admission& admission : plan_.admitted) {
      request_of_[admission.sequence] = admission.request;
      order_.push_back(value(admission.request));
      started_.emplace(value(admission.request), value(plan_.id));
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

  /// Of the last plan; null where the sequence has none.
  const SequenceStep* rows_of(int64_t sequence) const {
    for (const SequenceStep& step : plan_.sequences) {
      if (value(step.sequence) == sequence) return &step;
    }
    return nullptr;
  }
  /// The i-th of the last plan.
  const SequenceStep& rows(size_t i) const { return plan_.sequences.at(i); }
  /// Requests as their sequences were admitted.
  const std::vector<int64_t>& order() const { return order_; }
  /// The step in which the request started; 0: not yet.
  int64_t started(int64_t request) const {
    const auto found = started_.find(request);
    return found == started_.end() ? 0 : found->second;
  }
  Scheduler& scheduler() { return scheduler_; }
  const SchedulerStats& stats() const { return scheduler_.stats(); }

  int64_t offered = 0;   // guesses that every result brings
  int64_t accepted = 0;  // of those that got rows

 private:
  StepResult result() {
    StepResult result{.plan = plan_.id};
    for (const SequenceStep& step : plan_.sequences) {
      if (!step.yields_token) continue;
      SequenceResult& made = result.sequences.emplace_back();
      made.sequence = step.sequence;
      made.drafts = offered;
      const int64_t limit = limits_.at(request_of_.at(step.sequence));
      for (int64_t i = 0; i <= std::min(accepted, step.drafts) && !made.finished; i++) {
        made.tokens.push_back(7);
        if (++generated_[step.sequence] == limit) made.finished = FinishReason::kLength;
      }
    }
    return result;
  }

  Scheduler scheduler_;
  StepPlan plan_;
  std::map<RequestId, int64_t> limits_;
  std::map<SequenceId, RequestId> request_of_;
  std::map<SequenceId, int64_t> generated_;
  std::vector<int64_t> order_;
  std::map<int64_t, int64_t> started_;
};

}  // namespace strata::sched
