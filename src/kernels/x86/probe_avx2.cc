// Peak of the 256-bit FMA units, and the widest plain read loop (256-bit loads saturate memory as
// well as wider ones).
#include <immintrin.h>

#include "kernels/x86/probe_data.h"
#include "kernels/x86/probe_units.h"

namespace strata::kernels {

double peak_fma_256(int64_t iterations) {
  // 2 units x 4 to 5 cycles of latency need 10 chains.
  constexpr int kChains = 12;
  alignas(64) uint32_t words[2 * 8];
  fill_probe_operands(words, 2 * 8, kProbeF32Bits, kProbeF32Base);
  const __m256 x = _mm256_load_ps(reinterpret_cast<const float*>(words));
  const __m256 y = _mm256_load_ps(reinterpret_cast<const float*>(words + 8));
  __m256 chains[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; i++) chains[i] = _mm256_setzero_ps();
  for (int64_t round = 0; round < iterations; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) {
      // As assembly: the compiler may neither hoist nor merge what repeats.
      asm volatile("vfmadd231ps %2, %1, %0" : "+x"(chains[i]) : "x"(x), "x"(y));
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kChains; i++) asm volatile("" ::"x"(chains[i]));
  return static_cast<double>(iterations) * kChains * 8 * 2;
}

uint64_t read_256(const std::byte* data, size_t bytes) {
  constexpr int kStreams = 8;
  __m256i seen[kStreams];
  for (int i = 0; i < kStreams; i++) seen[i] = _mm256_setzero_si256();
  for (size_t at = 0; at < bytes; at += 2 * kStreams * 32) {
    const auto* from = reinterpret_cast<const __m256i*>(data + at);
#pragma GCC unroll 16
    for (int i = 0; i < 2 * kStreams; i++) {
      seen[i % kStreams] = _mm256_or_si256(seen[i % kStreams], _mm256_load_si256(from + i));
    }
  }
  for (int i = 1; i < kStreams; i++) seen[0] = _mm256_or_si256(seen[0], seen[i]);
  alignas(32) uint64_t words[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(words), seen[0]);
  return words[0] | words[1] | words[2] | words[3];
}

}  // namespace strata::kernels
