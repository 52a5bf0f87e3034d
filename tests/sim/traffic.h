// Random work for the scheduler: pools, limits and requests, all from one seed. What a token is
// does not matter to it; a sequence is the chain of hashes of its leading tokens, so two positions
// with the same hash hold the same keys and values.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "sched/scheduler.h"

namespace strata::sim {

using Chain = std::vector<uint64_t>;  // [position]: hash of the tokens up to it

uint64_t mix(uint64_t a, uint64_t b);

/// Hashes of the full blocks from block `from` on.
std::vector<sched::BlockHash> block_hashes(const Chain& chain, int64_t block_tokens, int64_t from);

struct SimRequest {
  sched::Request request;
  Chain prompt;
  bool repeatable = false;  // the next token follows from those before, as at temperature 0
  std::vector<int64_t> stop_after{};  // per choice: tokens after which it stops by itself
};

class Traffic {
 public:
  explicit Traffic(uint64_t seed);

  const sched::SchedulerConfig& config() const { return config_; }
  /// A request with the next id. Its prompt may continue a finished answer or repeat another
  /// prompt.
  SimRequest next();
  void finished(Chain answer);
  /// Below `bound` >= 1.
  int64_t draw(int64_t bound);
  /// Guesses that a sequence offers at most after a token; 0: this run does without.
  int64_t most_drafts() const { return most_drafts_; }
  bool chance(int64_t percent) { return draw(100) < percent; }

 private:
  sched::SchedulerConfig make_config();
  Chain make_prompt();

  std::mt19937_64 random_;
  uint64_t seed_;
  sched::SchedulerConfig config_;
  int64_t most_drafts_ = 0;
  int64_t last_request_ = 0;
  std::vector<Chain> prompts_;  // some of those sent
  std::vector<Chain> answers_;  // some of those finished
};

}  // namespace strata::sim
