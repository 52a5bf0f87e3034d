// Chooses a token from a row of logits: bans, bias and penalties, then greedy or a draw after
// temperature, min_p, top_k, top_p and typical_p in this order (docs/design/sampling.md). A pure
// function: the same row, state and position give the same token on every machine. It sees one row;
// which rows to sample is the engine's business.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/status.h"
#include "sampling/decode_state.h"
#include "sampling/logprobs.h"
#include "sampling/row.h"

namespace strata::sampling {

struct Sampled {
  int32_t token = 0;
  std::optional<TokenLogprobs> logprobs = {};  // where the request asks for them
};

/// The token at state.position(). Equal logits: the lowest id counts as the more likely.
/// kInvalidData where the model's largest logit is not a finite number, kInvalidArgument where the
/// request's own bans leave no token, the failure of its grammar where that has one; the state must
/// have its mask. `logits` is changed meanwhile and is as before on return.
Result<Sampled> sample(std::span<float> logits, const DecodeState& state, SamplerScratch& scratch);

}  // namespace strata::sampling
