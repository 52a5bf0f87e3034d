// A list of requests through the real scheduler under a clock that steps set: what a schedule costs
// when a step of so many rows takes so long. For comparing schedules without a model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "sched/scheduler.h"

namespace strata::sched {

/// Lengths of a request; the answer always has its full length.
struct ModelRequest {
  int64_t prompt_tokens = 1;
  int64_t max_tokens = 1;
};

/// What a step of so many rows takes, beside its context.
struct StepCost {
  double rows = 0;
  double us = 0;
};

/// `by_rows`: ascending in rows, lines between them; below the first its time, beyond the last in
/// proportion to the rows.
struct StepCosts {
  std::vector<StepCost> by_rows = {};
  double context_us = 0;  // for each token of context_of()
};
/// kInvalidArgument where `by_rows` has nothing, is not ascending or does not end above 0 us, or a
/// price is below 0.
Result<void> check(const StepCosts& costs);

/// Tokens that a plan's steps look at: of each sequence all up to its last row.
int64_t context_of(const StepPlan& plan);

struct ModelOutcome {
  double seconds = 0;
  int64_t steps = 0;
  int64_t tokens_out = 0;
  int64_t preemptions = 0;
  double mean_running = 0;    // sequences, over time
  double kv_waste_share = 0;  // of the tokens that held blocks have room for, over time
};

/// All requests come at once, in this order of service; no two share a prefix. What check() refuses
/// is refused; kResourceLimit where the pool can never hold one of the requests.
Result<ModelOutcome> run_step_model(const SchedulerConfig& config,
                                    std::span<const ModelRequest> requests, const StepCosts& costs);

}  // namespace strata::sched
