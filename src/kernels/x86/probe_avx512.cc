// Peak of the 512-bit FMA units.
#include <immintrin.h>

#include "kernels/x86/probe_data.h"
#include "kernels/x86/probe_units.h"

namespace strata::kernels {

double peak_fma_512(int64_t iterations) {
  // 2 units x 4 to 5 cycles of latency need 10 chains.
  constexpr int kChains = 12;
  alignas(64) uint32_t words[2 * 16];
  fill_probe_operands(words, 2 * 16, kProbeF32Bits, kProbeF32Base);
  const __m512 x = _mm512_load_ps(reinterpret_cast<const float*>(words));
  const __m512 y = _mm512_load_ps(reinterpret_cast<const float*>(words + 16));
  __m512 chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; i++) chains[i] = _mm512_setzero_ps();
  for (int64_t round = 0; round < iterations; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) {
      // As assembly: the compiler may neither hoist nor merge what repeats.
      asm volatile("vfmadd231ps %2, %1, %0" : "+v"(chains[i]) : "v"(x), "v"(y));
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kChains; i++) asm volatile("" ::"v"(chains[i]));
  return static_cast<double>(iterations) * kChains * 16 * 2;
}

}  // namespace strata::kernels
