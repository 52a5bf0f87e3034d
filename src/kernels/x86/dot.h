// Products of pairs of bf16, added to f32 lanes: the VDPBF16PS instruction, and the same bits from
// multiply-adds of any vector backend, so that the kernels over it are tested where the instruction
// is missing.
//
// A lane computes fma(lower x, lower w, fma(upper x, upper w, sum)), rounding to nearest even, with
// flush-to-zero and denormals-are-zero whatever MXCSR says (Intel SDM volume 2, VDPBF16PS; AMD Zen
// 4 gives the same bits on 120 million random operands, cancellations, denormals and overflows
// included). tests/conformance holds every CPU to it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/vec16.h"

namespace strata::kernels {
namespace {

/// Vocabulary of a backend D: Vec, Pairs (16 lanes of two bf16), broadcast (one pair), load, chains
/// (two vectors of neighbouring pairs, k and k + 1 of `first`, k + 2 and k + 3 of `second`, to
/// pairs with the smaller k above: `even` of k and k + 2, `odd` of k + 1 and k + 3), dot.
template <class V>
struct EmulatedDot {
  using Vec = V;
  using Pairs = typename V::I;

  STRATA_KERNEL_INLINE static Pairs broadcast(const void* pair) {
    int32_t both;
    __builtin_memcpy(&both, pair, sizeof both);
    return V::set_int(both);
  }
  STRATA_KERNEL_INLINE static void chains(const std::byte* first, const std::byte* second,
                                          Pairs& even, Pairs& odd) {
    const Pairs a = load(first), b = load(second);
    even = V::or_int(V::template shl<16>(a), V::and_int(b, V::set_int(0xffff)));
    odd = V::or_int(V::and_int(a, upper()), V::template shr<16>(b));
  }
  STRATA_KERNEL_INLINE static typename V::F dot(typename V::F sum, Pairs x, Pairs w) {
    const auto high =
        V::fma(V::as_float(V::and_int(x, upper())), V::as_float(V::and_int(w, upper())), sum);
    return V::fma(V::as_float(V::template shl<16>(x)), V::as_float(V::template shl<16>(w)), high);
  }
  STRATA_KERNEL_INLINE static Pairs load(const std::byte* from) {
    return V::as_int(V::load(reinterpret_cast<const float*>(from)));
  }

 private:
  STRATA_KERNEL_INLINE static Pairs upper() { return V::set_int(static_cast<int>(0xffff0000u)); }
};

/// Operands of a chunk, 32 values that are bf16 held as f32, become its 16 pairs in place: for each
/// quad of k the pair of the even chain, then that of the odd one.
STRATA_KERNEL_INLINE void pair_chunk(float* x) {
  for (int quad = 0; quad < 8; quad++) {
    uint64_t upper, lower;  // two floats each: k and k + 1, k + 2 and k + 3
    __builtin_memcpy(&upper, x + 4 * quad, sizeof upper);
    __builtin_memcpy(&lower, x + 4 * quad + 2, sizeof lower);
    const uint64_t pairs = (upper & 0xffff0000ffff0000) | (lower >> 16 & 0x0000ffff0000ffff);
    __builtin_memcpy(x + 2 * quad, &pairs, sizeof pairs);
  }
}

#if defined(__AVX512BF16__)
struct Avx512Dot {
  using Vec = simd::Avx512;
  using Pairs = __m512i;

  STRATA_KERNEL_INLINE static Pairs broadcast(const void* pair) {
    int32_t both;
    __builtin_memcpy(&both, pair, sizeof both);
    return _mm512_set1_epi32(both);
  }
  STRATA_KERNEL_INLINE static Pairs load(const std::byte* from) { return _mm512_loadu_si512(from); }
  STRATA_KERNEL_INLINE static void chains(const std::byte* first, const std::byte* second,
                                          Pairs& even, Pairs& odd) {
    constexpr __mmask32 kLower = 0x55555555;
    const __m512i a = _mm512_loadu_si512(first), b = _mm512_loadu_si512(second);
    even = _mm512_mask_blend_epi16(kLower, _mm512_maskz_slli_epi32(0xffff, a, 16), b);
    odd = _mm512_mask_blend_epi16(kLower, a, _mm512_maskz_srli_epi32(0xffff, b, 16));
  }
  STRATA_KERNEL_INLINE static __m512 dot(__m512 sum, Pairs x, Pairs w) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
  }
};
#endif

}  // namespace
}  // namespace strata::kernels
