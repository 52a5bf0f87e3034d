// Flattening, sequence after sequence.
#include "engine/batch.h"

#include "base/check.h"

namespace strata::engine {

void Batch::build(const sched::StepPlan& plan, const memory::KvPool& pool,
                  const TokensOf& tokens_of) {
  ids_.clear();
  positions_.clear();
  logit_rows_.clear();
  first_logit_.clear();
  for (const sched::SequenceStep& step : plan.sequences) {
    first_logit_.push_back(logit_rows());
    add_rows(step, tokens_of(step.sequence));
  }
  first_logit_.push_back(logit_rows());
  add_tables(plan, pool);
}

void Batch::add_rows(const sched::SequenceStep& step, std::span<const int32_t> tokens) {
  CHECK(std::cmp_less_equal(step.first_position + step.rows, tokens.size()),
        "a plan names tokens that are not there");
  for (int64_t i = 0; i < step.rows; i++) {
    const bool chooses = step.yields_token && i + 1 + step.drafts >= step.rows;
    if (step.all_logits || chooses) {
      logit_rows_.push_back(static_cast<int32_t>(ids_.size()));
    }
    ids_.push_back(tokens[static_cast<size_t>(step.first_position + i)]);
    positions_.push_back(static_cast<int32_t>(step.first_position + i));
  }
}

void Batch::add_tables(const sched::StepPlan& plan, const memory::KvPool& pool) {
  const size_t groups = pool.plan().frame_bytes.size();
  size_t entries = 0;
  for (const sched::SequenceStep& step : plan.sequences) {
    for (const auto& frames : step.frames) entries += frames.size();
  }
  // Views point into offsets_: it must not move while it grows.
  offsets_.clear();
  offsets_.reserve(entries);
  sequences_.resize(groups);
  groups_.clear();
  for (size_t g = 0; g < groups; g++) {
    sequences_[g].clear();
    int64_t row = 0;
    for (const sched::SequenceStep& step : plan.sequences) {
      const int64_t* table = offsets_.data() + offsets_.size();
      for (const int64_t frame : step.frames[g]) {
        offsets_.push_back(frame < 0 ? -1 : pool.offset(static_cast<int>(g), frame));
      }
      sequences_[g].push_back({.first_row = row,
                               .rows = step.rows,
                               .first_position = step.first_position,
                               .blocks = table});
      row += step.rows;
    }
    groups_.emplace_back(sequences_[g]);
  }
}

model::ForwardBatch Batch::view(const memory::KvPool& pool) const {
  return {.ids = ids_,
          .positions = positions_,
          .groups = groups_,
          .logit_rows = logit_rows_,
          .kv = {.base = pool.base()}};
}

}  // namespace strata::engine
