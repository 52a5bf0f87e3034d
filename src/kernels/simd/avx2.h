// The 16-lane vector in two ymm halves (AVX2, FMA, F16C). See vec16.h for the vocabulary.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/simd/inline.h"

namespace strata::kernels::simd {

// A table of each unit that includes this: wide units share nothing (tests/tidy).
namespace {

/// For each set of eight lanes their numbers, a byte each, lowest first.
struct LaneOrder {
  uint64_t lanes[256];
};

constexpr LaneOrder make_lane_order() {
  LaneOrder made{};
  for (unsigned set = 0; set < 256; set++) {
    int place = 0;
    for (uint64_t lane = 0; lane < 8; lane++) {
      if ((set >> lane & 1) != 0) made.lanes[set] |= lane << (8 * place++);
    }
  }
  return made;
}

constexpr LaneOrder kLaneOrder = make_lane_order();

}  // namespace

struct Avx2 {
  struct F {
    __m256 lo, hi;
  };
  struct I {
    __m256i lo, hi;
  };
  struct M {
    __m256 lo, hi;  // all ones or all zeros in a lane
  };
  struct D {
    __m256d v[4];
  };

  STRATA_KERNEL_INLINE static F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  STRATA_KERNEL_INLINE static F broadcast(float x) {
    return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
  }
  STRATA_KERNEL_INLINE static F load(const float* p) {
    return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
  }
  STRATA_KERNEL_INLINE static void store(float* p, F v) {
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
  }
  STRATA_KERNEL_INLINE static F load_partial(const float* p, int64_t count) {
    const M m = first(count);
    return {_mm256_maskload_ps(p, _mm256_castps_si256(m.lo)),
            _mm256_maskload_ps(p + 8, _mm256_castps_si256(m.hi))};
  }
  STRATA_KERNEL_INLINE static void store_partial(float* p, F v, int64_t count) {
    const M m = first(count);
    _mm256_maskstore_ps(p, _mm256_castps_si256(m.lo), v.lo);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(m.hi), v.hi);
  }

  STRATA_KERNEL_INLINE static F add(F a, F b) {
    return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static F sub(F a, F b) {
    return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static F mul(F a, F b) {
    return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static F div(F a, F b) {
    return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static F fma(F a, F b, F c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  STRATA_KERNEL_INLINE static F sqrt(F a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
  STRATA_KERNEL_INLINE static F max(F a, F b) {
    return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static F min(F a, F b) {
    return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static F round(F a) {
    return {_mm256_round_ps(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
            _mm256_round_ps(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }

  STRATA_KERNEL_INLINE static F pair_even(const void* row) {
    return as_float(shl<16>(load_int(row)));
  }
  STRATA_KERNEL_INLINE static F pair_odd(const void* row) {
    return as_float(and_int(load_int(row), set_int(static_cast<int>(0xffff0000u))));
  }
  STRATA_KERNEL_INLINE static F load_bf16(const uint16_t* p) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(p);
    return as_float(shl<16>({_mm256_cvtepu16_epi32(_mm_loadu_si128(halves)),
                             _mm256_cvtepu16_epi32(_mm_loadu_si128(halves + 1))}));
  }
  STRATA_KERNEL_INLINE static void store_bf16(uint16_t* p, F v) {
    // The pack works inside 128-bit halves, so the middle quarters swap places.
    const __m256i packed = _mm256_packus_epi32(round_bf16(v.lo), round_bf16(v.hi));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(packed, 0xd8));
  }
  STRATA_KERNEL_INLINE static F load_f16(const uint16_t* p) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
  }
  STRATA_KERNEL_INLINE static void store_f16(uint16_t* p, F v) {
    __m128i* halves = reinterpret_cast<__m128i*>(p);
    _mm_storeu_si128(halves, half_f16(v.lo));
    _mm_storeu_si128(halves + 1, half_f16(v.hi));
  }

  STRATA_KERNEL_INLINE static M first(int64_t count) {
    const __m256i n = _mm256_set1_epi32(static_cast<int>(count));
    return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(n, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))),
            _mm256_castsi256_ps(
                _mm256_cmpgt_epi32(n, _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)))};
  }
  STRATA_KERNEL_INLINE static M lt(F a, F b) {
    return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
  }
  STRATA_KERNEL_INLINE static M le(F a, F b) {
    return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LE_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LE_OQ)};
  }
  STRATA_KERNEL_INLINE static M eq(F a, F b) {
    return {_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ)};
  }
  STRATA_KERNEL_INLINE static M is_nan(F a) {
    return {_mm256_cmp_ps(a.lo, a.lo, _CMP_UNORD_Q), _mm256_cmp_ps(a.hi, a.hi, _CMP_UNORD_Q)};
  }
  STRATA_KERNEL_INLINE static M and_mask(M a, M b) {
    return {_mm256_and_ps(a.lo, b.lo), _mm256_and_ps(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static M or_mask(M a, M b) {
    return {_mm256_or_ps(a.lo, b.lo), _mm256_or_ps(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static M not_mask(M a) {
    const __m256 ones = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
    return {_mm256_xor_ps(a.lo, ones), _mm256_xor_ps(a.hi, ones)};
  }
  STRATA_KERNEL_INLINE static F select(M m, F a, F b) {
    return {_mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi)};
  }
  STRATA_KERNEL_INLINE static F keep(M m, F a) {
    return {_mm256_and_ps(m.lo, a.lo), _mm256_and_ps(m.hi, a.hi)};
  }

  STRATA_KERNEL_INLINE static I as_int(F v) {
    return {_mm256_castps_si256(v.lo), _mm256_castps_si256(v.hi)};
  }
  STRATA_KERNEL_INLINE static F as_float(I v) {
    return {_mm256_castsi256_ps(v.lo), _mm256_castsi256_ps(v.hi)};
  }
  STRATA_KERNEL_INLINE static I to_int(F v) {
    return {_mm256_cvtps_epi32(v.lo), _mm256_cvtps_epi32(v.hi)};
  }
  STRATA_KERNEL_INLINE static F from_int(I v) {
    return {_mm256_cvtepi32_ps(v.lo), _mm256_cvtepi32_ps(v.hi)};
  }
  STRATA_KERNEL_INLINE static I set_int(int32_t x) {
    return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
  }
  STRATA_KERNEL_INLINE static I add_int(I a, I b) {
    return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static I sub_int(I a, I b) {
    return {_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static I and_int(I a, I b) {
    return {_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static I or_int(I a, I b) {
    return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
  }
  template <int kBits>
  STRATA_KERNEL_INLINE static I shl(I a) {
    return {_mm256_slli_epi32(a.lo, kBits), _mm256_slli_epi32(a.hi, kBits)};
  }
  template <int kBits>
  STRATA_KERNEL_INLINE static I shr(I a) {
    return {_mm256_srli_epi32(a.lo, kBits), _mm256_srli_epi32(a.hi, kBits)};
  }

  STRATA_KERNEL_INLINE static float reduce_tree(F v) {
    const __m256 p = _mm256_add_ps(v.lo, v.hi);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(p), _mm256_extractf128_ps(p, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
  }
  STRATA_KERNEL_INLINE static float reduce_max(F v) {
    const __m256 p = _mm256_max_ps(v.lo, v.hi);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(p), _mm256_extractf128_ps(p, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
  }

  STRATA_KERNEL_INLINE static I load_int(const void* p) {
    const __m256i* halves = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
  }
  STRATA_KERNEL_INLINE static I load_int_partial(const int32_t* p, int64_t count) {
    const I m = mask_ints(first(count));
    return {_mm256_maskload_epi32(p, m.lo), _mm256_maskload_epi32(p + 8, m.hi)};
  }
  STRATA_KERNEL_INLINE static I count_up(int32_t x) {
    return add_int(set_int(x), {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                                _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)});
  }
  STRATA_KERNEL_INLINE static int count(M m) {
    return __builtin_popcount(bits_of(m.lo)) + __builtin_popcount(bits_of(m.hi));
  }
  STRATA_KERNEL_INLINE static void store_packed_int(int32_t* p, I v, M m) {
    const unsigned lo = bits_of(m.lo);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), pack_half(v.lo, lo));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + __builtin_popcount(lo)),
                        pack_half(v.hi, bits_of(m.hi)));
  }
  STRATA_KERNEL_INLINE static void store_packed(float* p, F v, M m) {
    const unsigned lo = bits_of(m.lo);
    const I bits = as_int(v);
    _mm256_storeu_ps(p, _mm256_castsi256_ps(pack_half(bits.lo, lo)));
    _mm256_storeu_ps(p + __builtin_popcount(lo),
                     _mm256_castsi256_ps(pack_half(bits.hi, bits_of(m.hi))));
  }

  STRATA_KERNEL_INLINE static D wide_zero() { return wide_set(0); }
  STRATA_KERNEL_INLINE static D wide_set(double x) {
    const __m256d v = _mm256_set1_pd(x);
    return {{v, v, v, v}};
  }
  STRATA_KERNEL_INLINE static D wide(F v) {
    return {{_mm256_cvtps_pd(_mm256_castps256_ps128(v.lo)),
             _mm256_cvtps_pd(_mm256_extractf128_ps(v.lo, 1)),
             _mm256_cvtps_pd(_mm256_castps256_ps128(v.hi)),
             _mm256_cvtps_pd(_mm256_extractf128_ps(v.hi, 1))}};
  }
  STRATA_KERNEL_INLINE static D add_wide(D a, D b) {
    return {{_mm256_add_pd(a.v[0], b.v[0]), _mm256_add_pd(a.v[1], b.v[1]),
             _mm256_add_pd(a.v[2], b.v[2]), _mm256_add_pd(a.v[3], b.v[3])}};
  }
  STRATA_KERNEL_INLINE static D fma_wide(D a, D b, D c) {
    return {{_mm256_fmadd_pd(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_pd(a.v[1], b.v[1], c.v[1]),
             _mm256_fmadd_pd(a.v[2], b.v[2], c.v[2]), _mm256_fmadd_pd(a.v[3], b.v[3], c.v[3])}};
  }
  STRATA_KERNEL_INLINE static F narrow(D d) {
    return {_mm256_set_m128(_mm256_cvtpd_ps(d.v[1]), _mm256_cvtpd_ps(d.v[0])),
            _mm256_set_m128(_mm256_cvtpd_ps(d.v[3]), _mm256_cvtpd_ps(d.v[2]))};
  }
  STRATA_KERNEL_INLINE static double reduce_wide(D d) {
    const __m256d p = _mm256_add_pd(_mm256_add_pd(d.v[0], d.v[2]), _mm256_add_pd(d.v[1], d.v[3]));
    const __m128d q = _mm_add_pd(_mm256_castpd256_pd128(p), _mm256_extractf128_pd(p, 1));
    return _mm_cvtsd_f64(_mm_add_sd(q, _mm_unpackhi_pd(q, q)));
  }

 private:
  STRATA_KERNEL_INLINE static __m256i pack_half(__m256i v, unsigned set) {
    const __m128i lanes = _mm_cvtsi64_si128(static_cast<int64_t>(kLaneOrder.lanes[set]));
    return _mm256_permutevar8x32_epi32(v, _mm256_cvtepu8_epi32(lanes));
  }
  STRATA_KERNEL_INLINE static unsigned bits_of(__m256 m) {
    return static_cast<unsigned>(_mm256_movemask_ps(m));
  }
  STRATA_KERNEL_INLINE static I mask_ints(M m) {
    return {_mm256_castps_si256(m.lo), _mm256_castps_si256(m.hi)};
  }
  STRATA_KERNEL_INLINE static __m256i round_bf16(__m256 v) {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i high = _mm256_srli_epi32(bits, 16);
    const __m256i bias =
        _mm256_add_epi32(_mm256_and_si256(high, _mm256_set1_epi32(1)), _mm256_set1_epi32(0x7fff));
    __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
    const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    const __m256i denormal = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), magnitude);
    const __m256i nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
    rounded =
        _mm256_blendv_epi8(rounded, _mm256_and_si256(high, _mm256_set1_epi32(0x8000)), denormal);
    return _mm256_blendv_epi8(rounded, _mm256_set1_epi32(0x7fc0), nan);
  }
  STRATA_KERNEL_INLINE static __m128i half_f16(__m256 v) {
    const __m128i half = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m128i nan16 =
        _mm_packs_epi32(_mm256_castsi256_si128(nan), _mm256_extracti128_si256(nan, 1));
    return _mm_blendv_epi8(half, _mm_set1_epi16(0x7e00), nan16);
  }
};

}  // namespace strata::kernels::simd
