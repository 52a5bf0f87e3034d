// What temperature, min_p, top_k, top_p and typical_p leave of a row, and the draw from it. Between
// the processed row and the token; it knows no request and no random numbers.
#pragma once

#include "sampling/params.h"
#include "sampling/row.h"

namespace strata::sampling {

/// The id at share `u` in [0, 1) of the weights that are left, in order of ids. row.largest must be
/// finite, the temperature (as f32) above 0.
int32_t filter_and_draw(const Row& row, const SamplingParams& params, double u,
                        SamplerScratch& scratch);

}  // namespace strata::sampling
