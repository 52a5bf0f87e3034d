// How much of the prompts the prefix cache saved, beside what a cache without limits would have: it
// would hold every full block that was ever computed. Observes plans and results; decides nothing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_set>
#include <vector>

#include "sched/types.h"

namespace strata::engine {

class PrefixMeter {
 public:
  /// `most_blocks`: how many blocks are remembered, 16 bytes each and their place in a table (about
  /// 50 bytes in all); 0: none, and there is no best().
  PrefixMeter(int64_t block_tokens, int64_t most_blocks)
      : block_tokens_(block_tokens), most_blocks_(most_blocks) {}

  /// A plan and the input it was made from, in the order of the plans.
  void add(const sched::StepInput& input, const sched::StepPlan& plan);

  /// Prompt tokens of the first sequences of requests that have started, and how many of them were
  /// not computed.
  int64_t prompt_tokens() const { return prompt_tokens_; }
  int64_t hit_tokens() const { return hit_tokens_; }
  /// Of the same prompts, what an unlimited cache would have saved; nullopt where it is not known,
  /// as more blocks were computed than are remembered.
  std::optional<int64_t> best_hit_tokens() const;

 private:
  struct Waiting {
    sched::Request request{};
    int64_t sequences_left = 1;
  };
  struct Sequence {
    sched::RequestId request{};
    bool first_rows = true;  // still to come
    bool counts = false;     // the request's first sequence
    int64_t remembered = 0;  // leading blocks that are in seen_
    int64_t computed = 0;    // positions, in any start
    std::vector<sched::BlockHash> hashes;
  };
  struct HashBits {
    size_t operator()(const sched::BlockHash& hash) const { return static_cast<size_t>(hash.low); }
  };

  void take_results(const sched::StepInput& input);
  void admit(const sched::Admission& admission);
  void take_rows(const sched::SequenceStep& step);
  void remember(Sequence& sequence);
  void forget(sched::RequestId request);

  int64_t block_tokens_;
  int64_t most_blocks_;
  std::map<sched::RequestId, Waiting> requests_;  // that may still start sequences
  std::map<sched::SequenceId, Sequence> sequences_;
  std::unordered_set<sched::BlockHash, HashBits> seen_;
  bool complete_ = true;
  int64_t prompt_tokens_ = 0;
  int64_t hit_tokens_ = 0;
  int64_t best_hit_tokens_ = 0;
};

}  // namespace strata::engine
