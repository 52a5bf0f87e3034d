// Chooses a token from a row of logits: greedy, or a draw after temperature, top_k, top_p and min_p
// in this order (docs/design/sampling.md). A pure function: the same row, parameters and position
// give the same token on every machine. It sees one row; which rows to sample is the engine's
// business.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace strata::sampling {

struct SamplingParams {
  double temperature = 1;  // 0..100; 0 = greedy: the filters and the seed have no part in it
  int64_t top_k = 0;       // keep the k most likely; 0 = all
  double top_p = 1;        // (0, 1]: keep the fewest most likely that hold this share
  double min_p = 0;        // [0, 1]: keep what is at least this likely relative to the most likely
  uint64_t seed = 0;
  uint32_t choice = 0;  // of several answers to one request
};

/// kInvalidArgument naming the parameter, its value and its range.
Result<void> validate(const SamplingParams& params);

/// Scratch that may be kept between calls; one per thread.
struct SamplerScratch {
  struct Candidate {
    float logit = 0;
    float weight = 0;  // e^((logit - largest) / temperature)
    int32_t id = 0;
  };
  std::vector<Candidate> candidates;
  std::vector<Candidate> sorted;
  std::vector<double> bins;
};

/// The token for `position` (of the token to come). Equal logits: the lowest id counts as the more
/// likely. kInvalidData where the largest logit is not a finite number. Params must be valid.
Result<int32_t> sample(std::span<const float> logits, const SamplingParams& params,
                       int64_t position, SamplerScratch& scratch);

}  // namespace strata::sampling
