// exp and log of the numerics (docs/design/numerics.md) for one f32, and the fixed tree of sums.
// The vector kernels compute the same operations sixteen at a time (simd/vec_math.h). Assumes the
// mode of fp_mode.h; calls no libm.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/simd/inline.h"

namespace strata::kernels {

/// Constants of exp: e^x = 2^n * e^r with |r| <= ln(2) / 2; a polynomial fitted to e^r (relative
/// error 2^-27.6).
struct ExpConstants {
  static constexpr float kLog2E = 0x1.715476p+0f;
  static constexpr float kLn2Hi = 0x1.62e400p-1f;  // short, so that n * kLn2Hi is exact
  static constexpr float kLn2Lo = 0x1.7f7d1cp-20f;
  static constexpr float kPoly[7] = {
      0x1.6850e4p-10f, 0x1.123bccp-7f, 0x1.555b98p-5f, 0x1.55548ep-3f, 0x1.fffff8p-2f, 1.0f, 1.0f};
  static constexpr float kLowest = -87.0f;  // below: +0
  static constexpr float kHighest = 88.0f;  // above: infinity
};

/// e^x under 2 ulp; +0 below -87, infinity above 88, NaN stays NaN.
STRATA_KERNEL_INLINE float exp_f32(float x) {
  using C = ExpConstants;
  if (x != x) return x;
  if (x < C::kLowest) return 0.0f;
  if (x > C::kHighest) return std::bit_cast<float>(0x7f800000u);
  // Adding and taking away 1.5 * 2^23 rounds to the nearest even integer.
  const float n = (x * C::kLog2E + 0x1.8p+23f) - 0x1.8p+23f;
  float r = __builtin_fmaf(n, -C::kLn2Hi, x);
  r = __builtin_fmaf(n, -C::kLn2Lo, r);
  float p = C::kPoly[0];
  for (int i = 1; i < 7; i++) p = __builtin_fmaf(p, r, C::kPoly[i]);
  return std::bit_cast<float>(std::bit_cast<int32_t>(p) + static_cast<int32_t>(n) * (1 << 23));
}

/// ln(x) under 2 ulp for normal x > 0; -infinity at 0 (and denormals), infinity at infinity, NaN
/// below 0.
STRATA_KERNEL_INLINE float log_f32(float x) {
  // (log(1 + f) - f) / f^2 fitted on [sqrt(1/2) - 1, sqrt(2) - 1], highest power first.
  constexpr float kPoly[10] = {
      0x1.137562p-4f,  -0x1.de4004p-4f, 0x1.e77668p-4f,  -0x1.fc3466p-4f, 0x1.232d9cp-3f,
      -0x1.555ab2p-3f, 0x1.99a53ep-3f,  -0x1.000012p-2f, 0x1.555546p-2f,  -0.5f};
  constexpr float kLn2Hi = 0x1.62e400p-1f, kLn2Lo = 0x1.7f7d1cp-20f;
  const int32_t bits = std::bit_cast<int32_t>(x);
  if (x != x || bits == 0x7f800000) return x;
  if ((bits & 0x7fffffff) < 0x00800000) return std::bit_cast<float>(0xff800000u);
  if (bits < 0) return std::bit_cast<float>(0x7fc00000u);
  // 0x3f3504f3 is the f32 above sqrt(1/2): the exponent of x in units of it, and the rest as m.
  const int32_t e = (bits - 0x3f3504f3) >> 23;
  const float m = std::bit_cast<float>(bits - e * (1 << 23));
  const float f = m - 1.0f;
  float p = kPoly[0];
  for (int i = 1; i < 10; i++) p = __builtin_fmaf(p, f, kPoly[i]);
  const float n = static_cast<float>(e);
  return __builtin_fmaf(n, kLn2Hi, __builtin_fmaf(n, kLn2Lo, f + (f * f) * p));
}

/// The last steps of the fixed tree: sixteen partial sums to one (destroys p).
STRATA_KERNEL_INLINE float fold_tree(float (&p)[16]) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) p[i] = p[i] + p[i + half];
  }
  return p[0];
}

}  // namespace strata::kernels
