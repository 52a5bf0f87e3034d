// What changes single logits before a token is chosen: bans, bias, penalties, in the order of
// docs/design/sampling.md. Touches the ids that a request or its answer names and no others, so
// that a row is neither copied nor walked.
#pragma once

#include <span>

#include "sampling/decode_state.h"
#include "sampling/row.h"

namespace strata::sampling {

/// Changes `logits` in place and notes in scratch.undo what stood there.
void apply_processors(std::span<float> logits, const DecodeState& state, SamplerScratch& scratch);

/// Gives back the row as it was before apply_processors.
void undo_processors(std::span<float> logits, SamplerScratch& scratch);

}  // namespace strata::sampling
