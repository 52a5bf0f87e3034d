// One pass for the sum; the most likely come from the blocks' maxima.
#include "sampling/logprobs.h"

#include <algorithm>
#include <cmath>

#include "kernels/fp_mode.h"
#include "kernels/ref/math.h"

namespace strata::sampling {

TokenLogprobs logprobs_of(const Row& row, int32_t token, int64_t top, SamplerScratch& scratch) {
  const auto count = static_cast<int64_t>(row.logits.size());
  const float log_sum =
      kernels::log_f32(scratch.passes->sum_exp(row.logits.data(), count, row.largest));
  const auto logprob = [&](float logit) { return (logit - row.largest) - log_sum; };
  TokenLogprobs made{.chosen = {token, logprob(row.logits[static_cast<size_t>(token)])}, .top = {}};
  take_most_likely(row, static_cast<size_t>(top), -INFINITY, scratch);
  std::ranges::sort(scratch.candidates, before);
  for (const Candidate& candidate : scratch.candidates)
    made.top.push_back({candidate.id, logprob(candidate.logit)});
  return made;
}

TokenLogprobs logprobs_of(std::span<const float> logits, int32_t token, int64_t top,
                          SamplerScratch& scratch) {
  const kernels::FpModeScope mode;
  return logprobs_of(look_at(logits, scratch), token, top, scratch);
}

}  // namespace strata::sampling
