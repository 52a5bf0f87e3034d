// The phases of a scheduling step, in the order of schedule(). What they do with blocks is in
// placing.cc.
#include "sched/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata::sched {
namespace {

std::vector<int64_t> frames_per_slab(const SchedulerConfig& config) {
  std::vector<int64_t> frames;
  for (const GroupShape& group : config.groups) frames.push_back(group.frames_per_slab);
  return frames;
}

Result<void> check_least(const char* what, int64_t value, int64_t least, const char* why = "") {
  if (value >= least) return {};
  return fail(Code::kInvalidArgument, what, std::to_string(value),
              "at least " + std::string(why) + std::to_string(least));
}

}  // namespace

Scheduler::Scheduler(SchedulerConfig config, Plant plant)
    : config_(std::move(config)),
      plant_(plant),
      blocks_(config_.slabs, frames_per_slab(config_), plant) {}

Result<Scheduler> Scheduler::create(SchedulerConfig config) {
  return create_planted(std::move(config), Plant::kNone);
}

Result<Scheduler> Scheduler::create_planted(SchedulerConfig config, Plant plant) {
  TRY(check_least("max_sequences", config.max_sequences, 1));
  TRY(check_least("prefill_chunk", config.prefill_chunk, 1));
  TRY(check_least("block_tokens", config.block_tokens, 1));
  TRY(check_least("slabs", config.slabs, 1));
  TRY(check_least("depth", config.depth, 1));
  TRY(check_least("KV groups", static_cast<int64_t>(config.groups.size()), 1));
  TRY(check_least("ageing_us", config.ageing_us, 0));
  TRY(check_least("fair_us_per_token", config.fair_us_per_token, 0));
  for (const GroupShape& group : config.groups) {
    TRY(check_least("frames_per_slab", group.frames_per_slab, 1));
  }
  TRY(check_least("reserve_tokens", config.reserve_tokens, 0));
  if (config.reserve_tokens > 0 && config.prefix_caching) {
    return fail(Code::kInvalidArgument, "reserve_tokens with prefix_caching", {}, {},
                "sequences that reserve their blocks share none");
  }
  const int64_t sequences = config.max_sequences;
  TRY(check_least("max_batched_tokens", config.max_batched_tokens, sequences, "max_sequences, "));
  TRY(check_least("max_logit_rows", config.max_logit_rows, sequences, "max_sequences, "));
  return Scheduler(std::move(config), plant);
}

StepPlan Scheduler::schedule(const StepInput& input) {
  StepPlan plan{.id = static_cast<PlanId>(++last_plan_), .now_us = input.now_us};
  for (const StepResult& result : input.completions) complete(result);
  CHECK(last_plan_ - completed_plan_ <= config_.depth, "more plans in flight than allowed");
  for (const Request& request : input.arrivals) receive(request, plan);
  // After the arrivals: one that was given up at once must not run for nobody.
  for (const RequestId request : input.cancels) cancel(request, plan);

  if (input.slab_limit) {
    blocks_.set_slab_limit(*input.slab_limit);
    refuse_oversized(plan);
  }
  shrink_pool(plan);

  Budget budget{.rows = config_.max_batched_tokens, .logit_rows = config_.max_logit_rows};
  stalled_ = false;
  computing_.clear();
  plan_running(plan, budget);
  admit(plan, budget);
  plan_drafts(plan, budget);
  // Only now: rows of this very plan may not read what other rows of it write.
  for (const Rank& rank : running_) publish(sequences_.at(rank.id));

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
    const auto found = sequences_.find(entry.sequence);
    // A plan made before its sequence finished brings rows that nobody wants any more.
    if (found == sequences_.end()) continue;
    accept(found->second, entry);
    if (entry.finished) finish(entry.sequence);
  }
  // Which blocks it was to fill is known here no more; failures are too rare to remember it for.
  if (result.failed) blocks_.unpublish_all();
  blocks_.complete(result.plan);
}

void Scheduler::accept(Sequence& sequence, const SequenceResult& result) {
  const auto tokens = static_cast<int64_t>(result.tokens.size());
  CHECK(tokens <= sequence.yields_in_flight + sequence.drafts_in_flight,
        "more tokens than were planned");
  sequence.generated += tokens;
  settle_drafts(sequence, tokens);
  sequence.drafts_offered = result.drafts;
  CHECK(sequence.generated < sequence.request.max_tokens || result.finished.has_value(),
        "a sequence at its limit must finish");
  std::vector<BlockHash>& hashes = sequence.request.block_hashes;
  hashes.insert(hashes.end(), result.block_hashes.begin(), result.block_hashes.end());
  const int64_t known = sequence.request.prompt_tokens + sequence.generated;
  CHECK(result.block_hashes.empty() || std::cmp_equal(hashes.size(), known / config_.block_tokens),
        "a hash per full block, or none");
}

void Scheduler::cancel(RequestId request, StepPlan& plan) {
  const auto known = std::ranges::any_of(
      sequences_, [request](const auto& entry) { return entry.second.request.id == request; });
  if (!known) return;
  plan.cancelled.push_back(request);
  finish_all(request);
}

void Scheduler::finish_all(RequestId request) {
  std::vector<SequenceId> ended;
  for (const auto& [id, sequence] : sequences_) {
    if (sequence.request.id == request) ended.push_back(id);
  }
  for (const SequenceId id : ended) finish(id);
}

// What the pool could hold when it came, and can no more.
void Scheduler::refuse_oversized(StepPlan& plan) {
  std::map<RequestId, BlockDemand> oversized;
  for (const auto& [id, sequence] : sequences_) {
    BlockDemand needed = demand(sequence.request);
    if (!blocks_.can_ever_hold(needed)) oversized.emplace(sequence.request.id, std::move(needed));
  }
  for (const auto& [request, needed] : oversized) {
    plan.refused.push_back(blocks_.explain(request, needed));
    finish_all(request);
  }
}

// The last in order give way until the blocks of the others lie in few enough slabs. Blocks that
// plans under way still read come back before the next steps.
void Scheduler::shrink_pool(StepPlan& plan) {
  while (!blocks_.obey_limit() && blocks_.deferred() == 0) {
    CHECK(!running_.empty(), "blocks that nobody holds");
    preempt(sequences_.at(running_.rbegin()->id), plan);
  }
}

void Scheduler::receive(const Request& request, StepPlan& plan) {
  CHECK(request.prompt_tokens >= 1 && request.max_tokens >= 1 && request.sequences >= 1,
        "an empty request");
  CHECK(
      request.block_hashes.empty() ||
          std::cmp_equal(request.block_hashes.size(), request.prompt_tokens / config_.block_tokens),
      "a hash per full block, or none");
  const BlockDemand needed = demand(request);
  if (!blocks_.can_ever_hold(needed)) {
    plan.refused.push_back(blocks_.explain(request.id, needed));
    return;
  }
  const int64_t tag = next_tag(request, plan.now_us);
  for (int64_t choice = 0; choice < request.sequences; choice++) {
    Sequence sequence{.id = static_cast<SequenceId>(++last_sequence_),
                      .tag = tag,
                      .request = request,
                      .choice = choice};
    sequence.request.all_logits = request.all_logits && choice == 0;
    sequence.tables.resize(config_.groups.size());
    sequence.dropped.resize(config_.groups.size(), 0);
    waiting_.insert(sequence.rank());
    sequences_.emplace(sequence.id, std::move(sequence));
  }
}

// A key's requests are spread over time as if each had to wait for the tokens of the one before; a
// level of priority is worth `ageing_us` of waiting. So the order never changes once it is made.
int64_t Scheduler::next_tag(const Request& request, int64_t now_us) {
  std::erase_if(next_tags_, [now_us](const auto& entry) { return entry.second <= now_us; });
  int64_t& next = next_tags_[{request.key, request.priority}];
  const int64_t start = std::max(now_us, next);
  const int64_t tokens = request.prompt_tokens + request.max_tokens * request.sequences;
  next = start + tokens * config_.fair_us_per_token;
  constexpr int64_t kNever = int64_t{1} << 30;
  const int64_t level = plant_ == Plant::kNoAgeing ? kNever : config_.ageing_us;
  return start + request.priority * level;
}

void Scheduler::finish(SequenceId id) {
  const auto found = sequences_.find(id);
  publish(found->second);
  stop(found->second);
  waiting_.erase(found->second.rank());
  if (solo_ == id) solo_.reset();
  sequences_.erase(found);
}

// Twice over the same order: those that need one row are past their prompts, or as good as.
void Scheduler::plan_running(StepPlan& plan, Budget& budget) {
  const std::vector<Rank> order(running_.begin(), running_.end());
  for (const bool decodes : {true, false}) {
    for (const Rank& rank : order) {
      if (!running_.contains(rank)) continue;  // preempted meanwhile
      Sequence& sequence = sequences_.at(rank.id);
      const int64_t left = sequence.rows_left();
      if (sequence.last_plan != plan.id && left > 0 && (left == 1) == decodes) {
        plan_rows(sequence, plan, budget);
      }
    }
  }
}

void Scheduler::admit(StepPlan& plan, Budget& budget) {
  if (running_.empty()) {
    filling_ = true;
    batch_starts_ = 0;
  }
  passed_over_.clear();
  const Wait wait = start_waiting(plan, budget);
  filling_ = wait == Wait::kBudget || (wait != Wait::kBlocks && !passed_over_.empty());
  waiting_for_ = {.shared_block = static_cast<int64_t>(passed_over_.size())};
  const int64_t others = waiting() - waiting_for_.shared_block;
  switch (wait) {
    case Wait::kCapacity:
      waiting_for_.capacity = others;
      break;
    case Wait::kBudget:
      waiting_for_.budget = others;
      break;
    default:  // who was not asked waits for blocks, or for the one that needs all of them
      waiting_for_.blocks = others;
  }
}

// Who waits for a block to share keeps its place.
bool Scheduler::places_left() const {
  const auto kept = static_cast<int64_t>(passed_over_.size());
  if (running() + kept >= config_.max_sequences) return false;
  if (config_.batching == Batching::kContinuous) return true;
  return filling_ && batch_starts_ + kept < config_.max_sequences;
}

std::vector<RequestId> Scheduler::passed_over() const {
  std::vector<RequestId> requests;
  for (const SequenceId id : passed_over_) requests.push_back(sequences_.at(id).request.id);
  return requests;
}

// The first one that cannot start waits, and everyone behind it: overtaking could starve it. One
// that waits for a block to share is different: the block is there soon, its place is kept and the
// blocks it needs are left free.
Scheduler::Wait Scheduler::start_waiting(StepPlan& plan, Budget& budget) {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    if (stalled_) return Wait::kBlocks;
    if (!places_left()) return Wait::kCapacity;
    if (budget.rows == 0 || budget.logit_rows == 0) return Wait::kBudget;
    const Rank rank = *next++;
    Sequence& sequence = sequences_.at(rank.id);
    if (solo_ && *solo_ != rank.id) continue;
    if (sequence.rows_left() == 0) continue;  // preempted, and its last token is under way
    const Wait wait = start(sequence, plan);
    if (wait == Wait::kSharedBlock) {
      passed_over_.push_back(rank.id);
      continue;
    }
    if (wait != Wait::kNothing) return wait;
    waiting_.erase(rank);
    running_.insert(rank);
    batch_starts_++;
    if (!std::exchange(sequence.admitted, true)) {
      plan.admitted.push_back({sequence.request.id, sequence.id, sequence.choice});
    }
    plan_rows(sequence, plan, budget);
  }
  return Wait::kNothing;
}

void Scheduler::plan_rows(Sequence& sequence, StepPlan& plan, Budget& budget) {
  const int64_t left = sequence.rows_left();
  int64_t rows = std::min({left, config_.prefill_chunk, budget.rows});
  bool all_logits = sequence.request.all_logits;
  if (const int64_t again = sequence.logits_planned - sequence.planned; again > 0) {
    // After a preemption: these logits were wanted once.
    rows = std::min(rows, again);
    all_logits = false;
  }
  if (all_logits) {
    rows = std::min(rows, budget.logit_rows);
  } else if (rows == left && budget.logit_rows == 0) {
    rows--;  // the last row would yield a token
  }
  if (rows <= 0) return;
  if (!hold_blocks(sequence, sequence.planned + rows, plan)) {
    stalled_ = true;
    return;
  }
  add_step(sequence, rows, all_logits, plan, budget);
}

void Scheduler::add_step(Sequence& sequence, int64_t rows, bool all_logits, StepPlan& plan,
                         Budget& budget) {
  SequenceStep step{.sequence = sequence.id,
                    .first_position = sequence.planned,
                    .rows = rows,
                    .yields_token = rows == sequence.rows_left(),
                    .all_logits = all_logits};
  list_frames(sequence, step);
  const std::vector<BlockHash>& hashes = sequence.request.block_hashes;
  for (int64_t i = sequence.planned / config_.block_tokens;
       i < (sequence.planned + rows) / config_.block_tokens; i++) {
    if (std::cmp_less(i, hashes.size())) computing_.insert(hashes[static_cast<size_t>(i)]);
  }
  const int64_t prompt = sequence.request.prompt_tokens;
  if (sequence.planned < prompt && sequence.planned + rows >= prompt)
    sequence.prompt_plan = plan.id;
  sequence.planned += rows;
  if (all_logits) sequence.logits_planned = sequence.planned;
  sequence.last_plan = plan.id;
  sequence.yields_in_flight += step.yields_token ? 1 : 0;
  budget.rows -= rows;
  budget.logit_rows -= all_logits ? rows : (step.yields_token ? 1 : 0);
  plan.sequences.push_back(std::move(step));
}

}  // namespace strata::sched
