// What a grammar lets come next, over a row of logits. Between a sequence's guide, which knows text
// and no end tokens, and the sampler: here the model's end tokens join in.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sampling/decode_state.h"

namespace strata::sampling {

/// The state must have a guide with a mask, here and below. End tokens are allowed where the text
/// may end, and nowhere else.
bool mask_allows(const DecodeState& state, int32_t id);

/// `masked` becomes the row with -infinity for all other ids.
void mask_row(std::span<const float> logits, const DecodeState& state, std::vector<float>& masked);

}  // namespace strata::sampling
