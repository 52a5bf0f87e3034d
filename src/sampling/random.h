// The generator behind sampling: counter-based, so a number depends on (seed, choice, position) and
// on nothing that happened before. A batch, a preemption or a rejected draft cannot shift it.
// Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
#pragma once

#include <array>
#include <cstdint>

namespace strata::sampling {

/// Ten rounds: the 128 bits that belong to this counter under this key.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// A double in [0, 1), a multiple of 2^-53, for the token at `position` of the `choice`-th answer
/// to a request.
double uniform(uint64_t seed, uint32_t choice, uint64_t position);

}  // namespace strata::sampling
