// Peak of the units that multiply pairs of bf16 (VDPBF16PS).
#include <immintrin.h>

#include "kernels/x86/probe_data.h"
#include "kernels/x86/probe_units.h"

namespace strata::kernels {

double peak_dot_bf16(int64_t iterations) {
  // 2 units x 6 cycles of latency need 12 chains.
  constexpr int kChains = 14;
  alignas(64) uint32_t words[2 * 16];
  fill_probe_operands(words, 2 * 16, kProbeBf16Bits, kProbeBf16Base);
  const __m512i x = _mm512_load_si512(words);
  const __m512i y = _mm512_load_si512(words + 16);
  __m512 chains[kChains];
#pragma GCC unroll 14
  for (int i = 0; i < kChains; i++) chains[i] = _mm512_setzero_ps();
  for (int64_t round = 0; round < iterations; round++) {
#pragma GCC unroll 14
    for (int i = 0; i < kChains; i++) {
      // As assembly: the compiler may neither hoist nor merge what repeats.
      asm volatile("vdpbf16ps %2, %1, %0" : "+v"(chains[i]) : "v"(x), "v"(y));
    }
  }
#pragma GCC unroll 14
  for (int i = 0; i < kChains; i++) asm volatile("" ::"v"(chains[i]));
  return static_cast<double>(iterations) * kChains * 32 * 2;
}

}  // namespace strata::kernels
