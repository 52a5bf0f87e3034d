// A StepPlan's rows as the flat batch that the model takes: ids, positions, block tables in bytes,
// rows whose logits are wanted. The arrays are kept between steps. Neither moves blocks nor runs
// anything.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "memory/kv_pool.h"
#include "model/forward.h"
#include "sched/types.h"

namespace strata::engine {

class Batch {
 public:
  /// Token ids of a sequence by position; must cover all rows of the plan.
  using TokensOf = std::function<std::span<const int32_t>(sched::SequenceId)>;

  /// Fills the arrays from the plan; frames become offsets into `pool`.
  void build(const sched::StepPlan& plan, const memory::KvPool& pool, const TokensOf& tokens_of);

  /// Views on the arrays, valid until the next build().
  model::ForwardBatch view(const memory::KvPool& pool) const;
  int64_t logit_rows() const { return static_cast<int64_t>(logit_rows_.size()); }
  /// Index among the logit rows of the first one of `plan.sequences[i]`; it has logit_count(i) of
  /// them.
  int64_t first_logit(size_t i) const { return first_logit_[i]; }
  int64_t logit_count(size_t i) const { return first_logit_[i + 1] - first_logit_[i]; }

 private:
  void add_rows(const sched::SequenceStep& step, std::span<const int32_t> tokens);
  void add_tables(const sched::StepPlan& plan, const memory::KvPool& pool);

  std::vector<int32_t> ids_;
  std::vector<int32_t> positions_;
  std::vector<int32_t> logit_rows_;
  std::vector<int64_t> first_logit_;  // per sequence, and the end
  std::vector<int64_t> offsets_;      // all block tables, one after another
  std::vector<std::vector<kernels::SequenceView>> sequences_;  // per group
  std::vector<std::span<const kernels::SequenceView>> groups_;
};

}  // namespace strata::engine
