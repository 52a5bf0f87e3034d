// The scalar mathematics of the numerics against the C library's long double: exp and log of steps,
// and the load-time routines.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/fp_mode.h"
#include "kernels/math_tables.h"
#include "kernels/ref/math.h"

namespace strata::kernels {
namespace {

// Distance in units of the last place of f32 at the true value.
double ulps(float got, long double want) {
  int exponent = 0;
  std::frexp(want, &exponent);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - want) /
                             std::ldexp(1.0L, exponent - 24));
}

// Floats of every binade in turn, `step` apart in their bit patterns.
template <class F>
double worst_over_bits(uint32_t begin, uint32_t end, uint32_t step, F error) {
  double worst = 0;
  for (uint64_t bits = begin; bits < end; bits += step) {
    worst = std::max(worst, error(std::bit_cast<float>(static_cast<uint32_t>(bits))));
  }
  return worst;
}

TEST(Math, ExpIsWithinTwoUlps) {
  const FpModeScope mode;
  const auto error = [](float x) {
    return ulps(exp_f32(x), std::exp(static_cast<long double>(x)));
  };
  EXPECT_LT(worst_over_bits(0x00800000u, std::bit_cast<uint32_t>(88.0f) + 1, 1009, error), 1.0);
  EXPECT_LT(worst_over_bits(0x80800000u, std::bit_cast<uint32_t>(-87.0f) + 1, 1009, error), 1.0);
}

TEST(Math, ExpAtItsEdges) {
  const FpModeScope mode;
  EXPECT_EQ(std::bit_cast<uint32_t>(exp_f32(0.0f)), 0x3f800000u);
  EXPECT_EQ(std::bit_cast<uint32_t>(exp_f32(-0.0f)), 0x3f800000u);
  EXPECT_GT(exp_f32(-87.0f), 0x1p-126f);
  EXPECT_EQ(std::bit_cast<uint32_t>(exp_f32(std::nextafter(-87.0f, -88.0f))), 0u);
  EXPECT_EQ(exp_f32(-INFINITY), 0.0f);
  EXPECT_TRUE(std::isfinite(exp_f32(88.0f)));
  EXPECT_EQ(exp_f32(std::nextafter(88.0f, 89.0f)), INFINITY);
  EXPECT_TRUE(std::isnan(exp_f32(NAN)));
}

TEST(Math, LogIsWithinTwoUlps) {
  const FpModeScope mode;
  const auto error = [](float x) {
    return x == 1.0f ? (log_f32(x) == 0.0f ? 0.0 : 9.0)
                     : ulps(log_f32(x), std::log(static_cast<long double>(x)));
  };
  EXPECT_LT(worst_over_bits(0x00800000u, 0x7f800000u, 1009, error), 1.0);
  EXPECT_LT(worst_over_bits(0x3f000000u, 0x40000000u, 17, error), 1.0);
  EXPECT_EQ(log_f32(0.0f), -INFINITY);
  EXPECT_EQ(log_f32(INFINITY), INFINITY);
  EXPECT_TRUE(std::isnan(log_f32(-1.0f)));
}

TEST(Math, PowIsCorrectlyRounded) {
  std::mt19937 rng(7);
  std::uniform_real_distribution<float> exponent(-1.0f, 1.0f), log_base(-2.0f, 20.0f);
  for (int i = 0; i < 20000; i++) {
    const float base = std::exp(log_base(rng)),
                e = i % 2 ? exponent(rng) : static_cast<float>(i % 128) / 128.0f;
    const long double want = std::pow(static_cast<long double>(base), static_cast<long double>(e));
    ASSERT_EQ(pow_f32(base, e), static_cast<float>(want)) << base << " ^ " << e;
  }
  EXPECT_EQ(pow_f32(10000.0f, 0.0f), 1.0f);
  EXPECT_EQ(pow_f32(4.0f, 0.5f), 2.0f);
}

TEST(Math, Log64IsWithinAnUlp) {
  for (const double x :
       {1e-300, 0.3, 0.70710678, 0.99999999, 1.0, 1.00000001, 1.5, 10.0, 8192.0, 5e5, 1e300}) {
    EXPECT_NEAR(log_f64(x), static_cast<double>(std::log(static_cast<long double>(x))),
                std::fabs(std::log(x)) * 0x1p-53);
  }
}

TEST(Math, SineAndCosineAreWithinAnUlpOfTheF32Angle) {
  std::mt19937 rng(11);
  std::uniform_real_distribution<float> wide(-2e6f, 2e6f), narrow(-4.0f, 4.0f);
  double worst = 0;
  const auto check = [&](float angle) {
    const SinCos value = sin_cos_f32(angle);
    worst = std::max(worst, ulps(value.sin, std::sin(static_cast<long double>(angle))));
    worst = std::max(worst, ulps(value.cos, std::cos(static_cast<long double>(angle))));
  };
  for (int i = 0; i < 100000; i++) {
    check(wide(rng));
    check(narrow(rng));
  }
  // The floats nearest to multiples of pi / 2 are where cancellation is worst.
  for (int k = 1; k < 1200000; k += 7) check(static_cast<float>(k * 1.57079632679489661923L));
  EXPECT_LE(worst, 0.51);
  EXPECT_EQ(sin_cos_f32(0.0f).sin, 0.0f);
  EXPECT_EQ(sin_cos_f32(0.0f).cos, 1.0f);
}

TEST(Math, RopeTableIsPositionMajorAndScaled) {
  float inv_freq[4];
  default_inv_freq(10000.0f, 8, inv_freq);
  EXPECT_EQ(inv_freq[0], 1.0f);
  EXPECT_EQ(inv_freq[2], 1.0f / 100.0f);
  std::vector<float> cos(3 * 4), sin(3 * 4);
  build_rope_table(inv_freq, 0, 3, 2.0f, cos.data(), sin.data());
  EXPECT_EQ(cos[0], 2.0f);
  EXPECT_EQ(sin[2 * 4 + 1], 2.0f * sin_cos_f32(2.0f * inv_freq[1]).sin);
  EXPECT_EQ(cos[1 * 4 + 3], 2.0f * sin_cos_f32(inv_freq[3]).cos);
}

}  // namespace
}  // namespace strata::kernels
