// Operands of the peak probes: random signs and mantissas, magnitudes about 2^-7, so that nothing
// overflows or vanishes.
#pragma once

#include <cstdint>

#include "kernels/simd/inline.h"

namespace strata::kernels {

/// `keep` selects the random bits of each word, `base` gives the exponents.
STRATA_KERNEL_INLINE void fill_probe_operands(uint32_t* words, int count, uint32_t keep,
                                              uint32_t base) {
  uint64_t state = 0x2545f4914f6cdd1dull;
  for (int i = 0; i < count; i++) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    words[i] = (static_cast<uint32_t>(state >> 32) & keep) | base;
  }
}

constexpr uint32_t kProbeF32Bits = 0x807fffffu, kProbeF32Base = 0x3c000000u;
constexpr uint32_t kProbeBf16Bits = 0x807f807fu, kProbeBf16Base = 0x3c003c00u;

}  // namespace strata::kernels
