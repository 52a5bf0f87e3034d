// The phases of a scheduling step, in the order of schedule().
#include "sched/scheduler.h"

#include <string>
#include <utility>

#include "base/check.h"

namespace strata::sched {
namespace {

int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

std::vector<int64_t> frames_per_slab(const SchedulerConfig& config) {
  std::vector<int64_t> frames;
  for (const GroupShape& group : config.groups) frames.push_back(group.frames_per_slab);
  return frames;
}

Result<void> check_positive(const char* what, int64_t value) {
  if (value >= 1) return {};
  return fail(Code::kInvalidArgument, what, std::to_string(value), "at least 1");
}

}  // namespace

Scheduler::Scheduler(SchedulerConfig config)
    : config_(std::move(config)), blocks_(config_.slabs, frames_per_slab(config_)) {}

Result<Scheduler> Scheduler::create(SchedulerConfig config) {
  TRY(check_positive("max_sequences", config.max_sequences));
  TRY(check_positive("prefill_chunk", config.prefill_chunk));
  TRY(check_positive("block_tokens", config.block_tokens));
  TRY(check_positive("slabs", config.slabs));
  TRY(check_positive("depth", config.depth));
  TRY(check_positive("KV groups", static_cast<int64_t>(config.groups.size())));
  for (const GroupShape& group : config.groups) {
    TRY(check_positive("frames_per_slab", group.frames_per_slab));
  }
  if (config.max_logit_rows < config.max_sequences) {
    return fail(Code::kInvalidArgument, "max_logit_rows", std::to_string(config.max_logit_rows),
                "at least max_sequences, " + std::to_string(config.max_sequences));
  }
  return Scheduler(std::move(config));
}

StepPlan Scheduler::schedule(const StepInput& input) {
  StepPlan plan{.id = static_cast<PlanId>(++last_plan_), .now_us = input.now_us};
  for (const StepResult& result : input.completions) complete(result);
  CHECK(last_plan_ - completed_plan_ <= config_.depth, "more plans in flight than allowed");
  for (const RequestId request : input.cancels) cancel(request, plan);
  drain();
  for (const Request& request : input.arrivals) receive(request, plan);

  Budget budget{.rows = config_.max_rows(), .logit_rows = config_.max_logit_rows};
  plan_decodes(plan, budget);
  plan_prefills(plan, budget);
  admit(plan, budget);

  plan.freed = blocks_.take_freed();
  plan.allocated = blocks_.take_allocated();
  if (input.prices.row_us > 0) {
    plan.predicted_us =
        input.prices.step_us + input.prices.row_us * static_cast<double>(plan.rows());
  }
  return plan;
}

void Scheduler::complete(const StepResult& result) {
  CHECK(value(result.plan) == completed_plan_ + 1, "plans complete in order");
  completed_plan_++;
  for (const SequenceResult& entry : result.sequences) {
    const auto found = running_.find(entry.sequence);
    // A plan made before its sequence finished brings rows that nobody wants any more.
    if (found == running_.end()) continue;
    accept(found->second, entry);
    if (entry.finished) finish(entry.sequence);
  }
  blocks_.complete(result.plan);
}

void Scheduler::accept(Sequence& sequence, const SequenceResult& result) {
  const auto tokens = static_cast<int64_t>(result.tokens.size());
  CHECK(tokens <= sequence.yields_in_flight, "more tokens than were planned");
  sequence.generated += tokens;
  sequence.yields_in_flight -= tokens;
  CHECK(sequence.generated < sequence.request.max_tokens || result.finished.has_value(),
        "a sequence at its limit must finish");
}

void Scheduler::cancel(RequestId request, StepPlan& plan) {
  if (std::erase_if(waiting_, [request](const Request& r) { return r.id == request; }) > 0) {
    plan.cancelled.push_back(request);
    return;
  }
  for (const auto& [id, sequence] : running_) {
    if (sequence.request.id != request) continue;
    plan.cancelled.push_back(request);
    finish(id);
    return;
  }
}

void Scheduler::receive(const Request& request, StepPlan& plan) {
  CHECK(request.prompt_tokens >= 1 && request.max_tokens >= 1, "an empty request");
  const BlockDemand needed = demand(request);
  if (blocks_.can_ever_hold(needed)) {
    waiting_.push_back(request);
    return;
  }
  plan.refused.push_back(blocks_.explain(request.id, needed));
}

void Scheduler::finish(SequenceId id) {
  const auto found = running_.find(id);
  draining_.push_back(std::move(found->second));
  running_.erase(found);
}

// Blocks of a finished sequence come back when the last plan that could read them has completed.
void Scheduler::drain() {
  std::erase_if(draining_, [this](Sequence& sequence) {
    if (value(sequence.last_plan) > completed_plan_) return false;
    for (size_t g = 0; g < sequence.tables.size(); g++) {
      const std::vector<BlockId>& table = sequence.tables[g];
      for (size_t i = static_cast<size_t>(sequence.dropped[g]); i < table.size(); i++) {
        blocks_.release(table[i]);
      }
    }
    blocks_.unreserve(sequence.reserved);
    return true;
  });
}

BlockDemand Scheduler::demand(const Request& request) const {
  const int64_t all = divide_up(request.positions(), config_.block_tokens);
  BlockDemand demand;
  for (const GroupShape& group : config_.groups) {
    if (group.window == 0) {
      demand.push_back(all);
      continue;
    }
    // Plans in flight read from window - 1 positions before the oldest one's first row to the
    // newest one's last row; an interval touches one block more than it fills when its ends do not
    // lie on block borders.
    const int64_t span = group.window - 1 + config_.depth * config_.prefill_chunk;
    demand.push_back(std::min(all, (span + config_.block_tokens - 2) / config_.block_tokens + 1));
  }
  return demand;
}

void Scheduler::plan_decodes(StepPlan& plan, Budget& budget) {
  for (auto& [id, sequence] : running_) {
    const Request& request = sequence.request;
    if (sequence.planned < request.prompt_tokens) continue;
    if (sequence.planned == request.positions()) continue;
    // The token at the next position must be known or on its way.
    const int64_t coming = sequence.generated + sequence.yields_in_flight;
    if (sequence.planned >= request.prompt_tokens + coming) continue;
    plan_rows(sequence, 1, plan, budget);
  }
}

void Scheduler::plan_prefills(StepPlan& plan, Budget& budget) {
  for (auto& [id, sequence] : running_) plan_prefill(sequence, plan, budget);
}

void Scheduler::admit(StepPlan& plan, Budget& budget) {
  while (!waiting_.empty() && running() < config_.max_sequences && budget.rows > 0 &&
         budget.logit_rows > 0) {
    const BlockDemand needed = demand(waiting_.front());
    // The first one waits, and everyone behind it: overtaking could starve it.
    if (!blocks_.reserve(needed)) return;
    Sequence sequence{.id = static_cast<SequenceId>(++last_sequence_),
                      .request = waiting_.front(),
                      .reserved = needed};
    waiting_.pop_front();
    sequence.tables.resize(config_.groups.size());
    sequence.dropped.resize(config_.groups.size(), 0);
    plan.admitted.push_back({sequence.request.id, sequence.id});
    const auto placed = running_.emplace(sequence.id, std::move(sequence)).first;
    plan_prefill(placed->second, plan, budget);
  }
}

void Scheduler::plan_prefill(Sequence& sequence, StepPlan& plan, Budget& budget) {
  const int64_t left = sequence.request.prompt_tokens - sequence.planned;
  int64_t rows = std::min({left, config_.prefill_chunk, budget.rows});
  if (sequence.request.all_logits) {
    rows = std::min(rows, budget.logit_rows);
  } else if (rows == left && budget.logit_rows == 0) {
    rows--;  // the last row would yield a token
  }
  if (rows > 0) plan_rows(sequence, rows, plan, budget);
}

void Scheduler::plan_rows(Sequence& sequence, int64_t rows, StepPlan& plan, Budget& budget) {
  SequenceStep step{.sequence = sequence.id,
                    .first_position = sequence.planned,
                    .rows = rows,
                    .yields_token = sequence.planned + rows >= sequence.request.prompt_tokens,
                    .all_logits = sequence.request.all_logits};
  for (int group = 0; group < blocks_.groups(); group++) {
    drop_outside_window(sequence, group);
    extend_table(sequence, group, step.first_position + rows);
    const auto g = static_cast<size_t>(group);
    std::vector<int64_t>& frames = step.frames.emplace_back();
    for (size_t i = 0; i < sequence.tables[g].size(); i++) {
      const bool dropped = std::cmp_less(i, sequence.dropped[g]);
      frames.push_back(dropped ? -1 : blocks_.frame(sequence.tables[g][i]));
    }
  }
  sequence.planned += rows;
  sequence.last_plan = plan.id;
  sequence.yields_in_flight += step.yields_token ? 1 : 0;
  budget.rows -= rows;
  budget.logit_rows -= step.all_logits ? rows : (step.yields_token ? 1 : 0);
  plan.sequences.push_back(std::move(step));
}

void Scheduler::drop_outside_window(Sequence& sequence, int group) {
  const auto g = static_cast<size_t>(group);
  const int64_t window = config_.groups[g].window;
  if (window == 0) return;
  const int64_t first_needed = std::max<int64_t>(0, sequence.planned - window + 1);
  const int64_t keep_from = first_needed / config_.block_tokens;
  for (int64_t& i = sequence.dropped[g]; i < keep_from; i++) {
    const BlockId block = sequence.tables[g][static_cast<size_t>(i)];
    if (value(sequence.last_plan) <= completed_plan_) {
      blocks_.release(block);
    } else {
      blocks_.release_after(block, sequence.last_plan);
    }
  }
}

void Scheduler::extend_table(Sequence& sequence, int group, int64_t positions) {
  std::vector<BlockId>& table = sequence.tables[static_cast<size_t>(group)];
  const int64_t wanted = divide_up(positions, config_.block_tokens);
  while (std::cmp_less(table.size(), wanted)) table.push_back(blocks_.allocate(group));
}

}  // namespace strata::sched
