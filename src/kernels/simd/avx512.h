// The 16-lane vector in one zmm register (AVX-512 F, BW, DQ, VL). See vec16.h for the vocabulary.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/simd/inline.h"

namespace strata::kernels::simd {

struct Avx512 {
  using F = __m512;
  using I = __m512i;
  using M = __mmask16;
  struct D {
    __m512d lo, hi;
  };

  STRATA_KERNEL_INLINE static F zero() { return _mm512_setzero_ps(); }
  STRATA_KERNEL_INLINE static F broadcast(float x) { return _mm512_set1_ps(x); }
  STRATA_KERNEL_INLINE static F load(const float* p) { return _mm512_loadu_ps(p); }
  STRATA_KERNEL_INLINE static void store(float* p, F v) { _mm512_storeu_ps(p, v); }
  STRATA_KERNEL_INLINE static F load_partial(const float* p, int64_t count) {
    return _mm512_maskz_loadu_ps(first(count), p);
  }
  STRATA_KERNEL_INLINE static void store_partial(float* p, F v, int64_t count) {
    _mm512_mask_storeu_ps(p, first(count), v);
  }

  STRATA_KERNEL_INLINE static F add(F a, F b) { return _mm512_add_ps(a, b); }
  STRATA_KERNEL_INLINE static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  STRATA_KERNEL_INLINE static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  STRATA_KERNEL_INLINE static F div(F a, F b) { return _mm512_div_ps(a, b); }
  STRATA_KERNEL_INLINE static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  STRATA_KERNEL_INLINE static F sqrt(F a) { return _mm512_maskz_sqrt_ps(0xffff, a); }
  STRATA_KERNEL_INLINE static F max(F a, F b) { return _mm512_maskz_max_ps(0xffff, a, b); }
  STRATA_KERNEL_INLINE static F min(F a, F b) { return _mm512_maskz_min_ps(0xffff, a, b); }
  STRATA_KERNEL_INLINE static F round(F a) {
    return _mm512_maskz_roundscale_ps(0xffff, a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

  STRATA_KERNEL_INLINE static F pair_even(const void* row) {
    return as_float(_mm512_maskz_slli_epi32(0xffff, _mm512_loadu_si512(row), 16));
  }
  STRATA_KERNEL_INLINE static F pair_odd(const void* row) {
    return as_float(
        _mm512_and_si512(_mm512_loadu_si512(row), set_int(static_cast<int>(0xffff0000u))));
  }
  STRATA_KERNEL_INLINE static F load_bf16(const uint16_t* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return as_float(_mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, half), 16));
  }
  STRATA_KERNEL_INLINE static void store_bf16(uint16_t* p, F v) {
    const I bits = as_int(v);
    const I lsb = and_int(shr<16>(bits), set_int(1));
    I rounded = shr<16>(add_int(bits, add_int(lsb, set_int(0x7fff))));
    const I magnitude = and_int(bits, set_int(0x7fffffff));
    const M denormal = _mm512_cmplt_epi32_mask(magnitude, set_int(0x00800000));
    const M nan = _mm512_cmpgt_epi32_mask(magnitude, set_int(0x7f800000));
    rounded = _mm512_mask_and_epi32(rounded, denormal, shr<16>(bits), set_int(0x8000));
    rounded = _mm512_mask_mov_epi32(rounded, nan, set_int(0x7fc0));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_maskz_cvtepi32_epi16(0xffff, rounded));
  }
  STRATA_KERNEL_INLINE static F load_f16(const uint16_t* p) {
    return _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  STRATA_KERNEL_INLINE static void store_f16(uint16_t* p, F v) {
    const __m256i half =
        _mm512_maskz_cvtps_ph(0xffff, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm256_mask_mov_epi16(half, is_nan(v), _mm256_set1_epi16(0x7e00)));
  }

  STRATA_KERNEL_INLINE static M first(int64_t count) {
    return count >= 16 ? static_cast<M>(0xffff)
                       : static_cast<M>((1u << (count < 0 ? 0 : count)) - 1);
  }
  STRATA_KERNEL_INLINE static M lt(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  STRATA_KERNEL_INLINE static M le(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
  STRATA_KERNEL_INLINE static M eq(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
  STRATA_KERNEL_INLINE static M is_nan(F a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
  STRATA_KERNEL_INLINE static M and_mask(M a, M b) { return static_cast<M>(a & b); }
  STRATA_KERNEL_INLINE static M or_mask(M a, M b) { return static_cast<M>(a | b); }
  STRATA_KERNEL_INLINE static M not_mask(M a) { return static_cast<M>(~a); }
  STRATA_KERNEL_INLINE static F select(M m, F a, F b) { return _mm512_mask_blend_ps(m, b, a); }
  STRATA_KERNEL_INLINE static F keep(M m, F a) { return _mm512_maskz_mov_ps(m, a); }

  STRATA_KERNEL_INLINE static I as_int(F v) { return _mm512_castps_si512(v); }
  STRATA_KERNEL_INLINE static F as_float(I v) { return _mm512_castsi512_ps(v); }
  STRATA_KERNEL_INLINE static I to_int(F v) { return _mm512_maskz_cvtps_epi32(0xffff, v); }
  STRATA_KERNEL_INLINE static F from_int(I v) { return _mm512_maskz_cvtepi32_ps(0xffff, v); }
  STRATA_KERNEL_INLINE static I set_int(int32_t x) { return _mm512_set1_epi32(x); }
  STRATA_KERNEL_INLINE static I add_int(I a, I b) { return _mm512_add_epi32(a, b); }
  STRATA_KERNEL_INLINE static I sub_int(I a, I b) { return _mm512_sub_epi32(a, b); }
  STRATA_KERNEL_INLINE static I and_int(I a, I b) { return _mm512_and_si512(a, b); }
  STRATA_KERNEL_INLINE static I or_int(I a, I b) { return _mm512_or_si512(a, b); }
  template <int kBits>
  STRATA_KERNEL_INLINE static I shl(I a) {
    return _mm512_maskz_slli_epi32(0xffff, a, kBits);
  }
  template <int kBits>
  STRATA_KERNEL_INLINE static I shr(I a) {
    return _mm512_maskz_srli_epi32(0xffff, a, kBits);
  }

  STRATA_KERNEL_INLINE static float reduce_tree(F v) {
    __m256 p = _mm256_add_ps(low(v), high(v));
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(p), _mm256_extractf128_ps(p, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
  }
  STRATA_KERNEL_INLINE static float reduce_max(F v) {
    __m256 p = _mm256_max_ps(low(v), high(v));
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(p), _mm256_extractf128_ps(p, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
  }

  STRATA_KERNEL_INLINE static I load_int(const int32_t* p) { return _mm512_loadu_si512(p); }
  STRATA_KERNEL_INLINE static I load_int_partial(const int32_t* p, int64_t count) {
    return _mm512_maskz_loadu_epi32(first(count), p);
  }
  STRATA_KERNEL_INLINE static I count_up(int32_t x) {
    return add_int(set_int(x),
                   _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  }
  STRATA_KERNEL_INLINE static int count(M m) { return __builtin_popcount(m); }
  // Packed in a register: straight into memory takes a hundred cycles on some CPUs.
  STRATA_KERNEL_INLINE static void store_packed(float* p, F v, M m) {
    _mm512_storeu_ps(p, _mm512_maskz_compress_ps(m, v));
  }
  STRATA_KERNEL_INLINE static void store_packed_int(int32_t* p, I v, M m) {
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(m, v));
  }

  STRATA_KERNEL_INLINE static D wide_zero() { return wide_set(0); }
  STRATA_KERNEL_INLINE static D wide_set(double x) {
    return {_mm512_set1_pd(x), _mm512_set1_pd(x)};
  }
  STRATA_KERNEL_INLINE static D wide(F v) {
    return {_mm512_maskz_cvtps_pd(0xff, low(v)), _mm512_maskz_cvtps_pd(0xff, high(v))};
  }
  STRATA_KERNEL_INLINE static D add_wide(D a, D b) {
    return {_mm512_add_pd(a.lo, b.lo), _mm512_add_pd(a.hi, b.hi)};
  }
  STRATA_KERNEL_INLINE static D fma_wide(D a, D b, D c) {
    return {_mm512_fmadd_pd(a.lo, b.lo, c.lo), _mm512_fmadd_pd(a.hi, b.hi, c.hi)};
  }
  STRATA_KERNEL_INLINE static F narrow(D v) {
    const F half = _mm512_maskz_insertf32x8(0xffff, zero(), _mm512_maskz_cvtpd_ps(0xff, v.lo), 0);
    return _mm512_maskz_insertf32x8(0xffff, half, _mm512_maskz_cvtpd_ps(0xff, v.hi), 1);
  }
  STRATA_KERNEL_INLINE static double reduce_wide(D v) {
    const __m512d p = _mm512_add_pd(v.lo, v.hi);
    const __m256d q = _mm256_add_pd(_mm512_maskz_extractf64x4_pd(0xff, p, 0),
                                    _mm512_maskz_extractf64x4_pd(0xff, p, 1));
    const __m128d r = _mm_add_pd(_mm256_castpd256_pd128(q), _mm256_extractf128_pd(q, 1));
    return _mm_cvtsd_f64(_mm_add_sd(r, _mm_unpackhi_pd(r, r)));
  }

 private:
  // Masked forms: GCC 12 warns of an uninitialised value inside the plain ones and the casts.
  STRATA_KERNEL_INLINE static __m256 low(F v) { return _mm512_maskz_extractf32x8_ps(0xff, v, 0); }
  STRATA_KERNEL_INLINE static __m256 high(F v) { return _mm512_maskz_extractf32x8_ps(0xff, v, 1); }
};

}  // namespace strata::kernels::simd
