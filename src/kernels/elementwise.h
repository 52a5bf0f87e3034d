// How many rows of a row-wise op make a work item, whatever computes them.
#pragma once

#include <cstdint>

namespace strata::kernels {

// A hand-off to the pool costs about as much as a few microseconds of work are worth: these are
// rows of 2048 columns (norms, heads), of 8192 (silu) and of a vocabulary (log-softmax) that take
// two to five microseconds.
inline constexpr int64_t kNormGrain = 8;
inline constexpr int64_t kHeadsGrain = 8;
inline constexpr int64_t kSiluGrain = 2;
inline constexpr int64_t kLogSoftmaxGrain = 1;

}  // namespace strata::kernels
