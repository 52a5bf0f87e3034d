// Log-probabilities of a model's own distribution: of the row as the model made it, before any
// penalty, ban or temperature. For chosen tokens and for prompts.
#pragma once

#include <cstdint>
#include <vector>

#include "sampling/row.h"

namespace strata::sampling {

struct TokenLogprob {
  int32_t id = 0;
  float logprob = 0;
  bool operator==(const TokenLogprob&) const = default;
};

struct TokenLogprobs {
  TokenLogprob chosen;
  std::vector<TokenLogprob> top;  // the most likely, most likely first; of equals the lower id
  bool operator==(const TokenLogprobs&) const = default;
};

/// Of `token` and of the `top` most likely: (logit - m) - log(sum), as the log_softmax op defines
/// it. The mode of fp_mode.h must be set. Uses scratch.candidates.
TokenLogprobs logprobs_of(const Row& row, int32_t token, int64_t top, SamplerScratch& scratch);

/// The same for a row that nobody has looked at, in any mode.
TokenLogprobs logprobs_of(std::span<const float> logits, int32_t token, int64_t top,
                          SamplerScratch& scratch);

}  // namespace strata::sampling
