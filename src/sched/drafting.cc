// Rows of guessed tokens behind a sequence's own: what a step has left over goes to them, and those
// whose guess was wrong are taken back when the plan completes. Who guesses, and what, is not known
// here.
#include <algorithm>

#include "sched/scheduler.h"

namespace strata::sched {

// Prompts have had their rows: a guess is worth less than work that is certain.
void Scheduler::plan_drafts(StepPlan& plan, Budget& budget) {
  for (SequenceStep& step : plan.sequences) {
    Sequence& sequence = sequences_.at(step.sequence);
    // Guesses follow the tokens known, so nothing may be on its way but what this step yields.
    if (step.yields_token && sequence.yields_in_flight == 1) add_drafts(sequence, step, budget);
  }
}

void Scheduler::add_drafts(Sequence& sequence, SequenceStep& step, Budget& budget) {
  const int64_t end = step.first_position + step.rows;
  const int64_t most =
      std::min({sequence.drafts_offered, sequence.request.positions() - end,
                config_.prefill_chunk - step.rows, budget.rows, budget.logit_rows});
  if (most <= 0) return;
  const int64_t drafts = hold_for_drafts(sequence, end, most);
  step.drafts = drafts;
  step.rows += drafts;
  list_frames(sequence, step);
  sequence.drafts_in_flight = drafts;
  sequence.planned += drafts;
  if (step.all_logits) sequence.logits_planned = sequence.planned;
  budget.rows -= drafts;
  budget.logit_rows -= drafts;
  stats_.drafts += drafts;
}

// How many positions from `from` on get blocks without anybody giving way. A group may keep more
// than the others could get: the sequence's next rows need them. Blocks that are there already were
// taken for guesses too, so nobody shares them.
int64_t Scheduler::hold_for_drafts(Sequence& sequence, int64_t from, int64_t most) {
  int64_t end = from + most;
  for (int g = 0; g < blocks_.groups(); g++) {
    std::vector<BlockId>& table = sequence.tables[static_cast<size_t>(g)];
    const auto held = [&] { return static_cast<int64_t>(table.size()) * config_.block_tokens; };
    while (held() < end) {
      const std::optional<BlockId> block = blocks_.allocate(g);
      if (!block) break;
      table.push_back(*block);
    }
    end = std::min(end, held());
  }
  return end - from;
}

// Rows behind the last right guess hold what nobody may read: they are planned anew. A sequence
// that gave way in the meantime has no rows to take them from, and is not started before this.
void Scheduler::settle_drafts(Sequence& sequence, int64_t tokens) {
  const bool drafted = sequence.drafts_in_flight > 0;
  sequence.yields_in_flight -= drafted ? 1 : tokens;
  if (!drafted) return;
  const int64_t accepted = std::max<int64_t>(0, tokens - 1);
  const int64_t wrong = sequence.drafts_in_flight - accepted;
  if (sequence.planned > 0) sequence.planned -= wrong;
  if (sequence.request.all_logits) sequence.logits_planned -= wrong;
  sequence.drafts_in_flight = 0;
  stats_.accepted_drafts += accepted;
}

// Entries that are there stay. A table may hold blocks beyond, taken for guesses that were wrong.
void Scheduler::list_frames(const Sequence& sequence, SequenceStep& step) const {
  step.frames.resize(sequence.tables.size());
  for (size_t g = 0; g < sequence.tables.size(); g++) {
    std::vector<int64_t>& frames = step.frames[g];
    const int64_t end = step.first_position + step.rows;
    for (size_t i = frames.size(); static_cast<int64_t>(i) * config_.block_tokens < end; i++) {
      const bool dropped = std::cmp_less(i, sequence.dropped[g]);
      frames.push_back(dropped ? -1 : blocks_.frame(sequence.tables[g][i]));
    }
  }
}

}  // namespace strata::sched
