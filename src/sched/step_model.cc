// Plans come back at once as if carried out; the clock moves by what they cost.
#include "sched/step_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

namespace strata::sched {
namespace {

class ModelRun {
 public:
  ModelRun(Scheduler scheduler, std::span<const ModelRequest> requests, const StepCosts& costs)
      : scheduler_(std::move(scheduler)), requests_(requests), costs_(costs) {}

  Result<ModelOutcome> run() {
    StepInput input{.arrivals = arrivals()};
    do {
      const StepPlan plan = scheduler_.schedule(input);
      if (!plan.refused.empty()) return refused(plan.refused.front());
      for (const Admission& admission : plan.admitted) {
        const auto index = static_cast<size_t>(value(admission.request) - 1);
        tokens_left_[admission.sequence] = requests_[index].max_tokens;
      }
      take_time(plan);
      input = {.now_us = static_cast<int64_t>(now_us_), .completions = {carry_out(plan)}};
    } while (!scheduler_.idle());
    outcome_.seconds = now_us_ * 1e-6;
    outcome_.preemptions = scheduler_.stats().preemptions;
    outcome_.mean_running = running_us_ / now_us_;
    outcome_.kv_waste_share = held_us_ > 0 ? unused_us_ / held_us_ : 0;
    return outcome_;
  }

 private:
  std::vector<Request> arrivals() const {
    std::vector<Request> arrivals;
    for (const ModelRequest& request : requests_) {
      arrivals.push_back({.id = static_cast<RequestId>(arrivals.size() + 1),
                          .prompt_tokens = request.prompt_tokens,
                          .max_tokens = request.max_tokens});
    }
    return arrivals;
  }

  Result<ModelOutcome> refused(const Refusal& refusal) const {
    return fail(Code::kResourceLimit,
                fmt::format("request {} cannot fit into the KV pool", value(refusal.request)),
                fmt::format("{} blocks needed", refusal.needed_blocks),
                fmt::format("at most {}", refusal.pool_blocks));
  }

  double cost_of(double rows) const {
    const std::vector<StepCost>& costs = costs_.by_rows;
    const auto above = std::ranges::lower_bound(costs, rows, {}, &StepCost::rows);
    if (above == costs.end()) return costs.back().us * rows / costs.back().rows;
    if (above == costs.begin()) return above->us;
    const StepCost& below = *std::prev(above);
    return std::lerp(below.us, above->us, (rows - below.rows) / (above->rows - below.rows));
  }

  void take_time(const StepPlan& plan) {
    if (plan.sequences.empty()) return;  // the last result is taken in, nothing runs
    const double us = cost_of(static_cast<double>(plan.rows())) +
                      costs_.context_us * static_cast<double>(context_of(plan));
    outcome_.steps++;
    now_us_ += us;
    running_us_ += static_cast<double>(scheduler_.running()) * us;
    for (const KvUse& use : scheduler_.kv_use()) {
      held_us_ += static_cast<double>(use.held_tokens) * us;
      unused_us_ += static_cast<double>(use.unused_tokens) * us;
    }
  }

  StepResult carry_out(const StepPlan& plan) {
    StepResult result{.plan = plan.id};
    for (const SequenceStep& step : plan.sequences) {
      if (!step.yields_token) continue;
      SequenceResult& entry = result.sequences.emplace_back();
      entry.sequence = step.sequence;
      entry.tokens = {0};
      outcome_.tokens_out++;
      if (--tokens_left_.at(step.sequence) == 0) entry.finished = FinishReason::kLength;
    }
    return result;
  }

  Scheduler scheduler_;
  std::span<const ModelRequest> requests_;
  const StepCosts& costs_;
  std::map<SequenceId, int64_t> tokens_left_;
  double now_us_ = 0;
  double running_us_ = 0, held_us_ = 0, unused_us_ = 0;
  ModelOutcome outcome_;
};

}  // namespace

int64_t context_of(const StepPlan& plan) {
  int64_t context = 0;
  for (const SequenceStep& step : plan.sequences) context += step.first_position + step.rows;
  return context;
}

Result<void> check(const StepCosts& costs) {
  const std::vector<StepCost>& by_rows = costs.by_rows;
  const auto bad = [](const StepCost& a, const StepCost& b) { return a.rows >= b.rows; };
  const auto priced = [](const StepCost& cost) { return cost.us >= 0; };
  if (by_rows.empty() || by_rows.front().rows < 0 || by_rows.back().rows < 1 ||
      std::ranges::adjacent_find(by_rows, bad) != by_rows.end() ||
      !std::ranges::all_of(by_rows, priced) || by_rows.back().us == 0) {
    return fail(Code::kInvalidArgument, "costs of steps", {},
                "ascending numbers of rows, times >= 0, the last above");
  }
  if (costs.context_us >= 0) return {};
  return fail(Code::kInvalidArgument, "the cost of context", fmt::format("{}", costs.context_us),
              "at least 0");
}

Result<ModelOutcome> run_step_model(const SchedulerConfig& config,
                                    std::span<const ModelRequest> requests,
                                    const StepCosts& costs) {
  if (requests.empty()) return fail(Code::kInvalidArgument, "no requests", {}, "at least one");
  TRY(check(costs));
  return ModelRun(TRY(Scheduler::create(config)), requests, costs).run();
}

}  // namespace strata::sched
