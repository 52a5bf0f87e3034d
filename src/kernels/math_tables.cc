// Double-double logarithm and power, sine and cosine in f64. Accuracy first: these run a few times
// per load, except sine and cosine (one pair per position and frequency, tens of nanoseconds).
#include "kernels/math_tables.h"

#include <bit>

#include "base/check.h"
#include "kernels/fp_mode.h"

namespace strata::kernels {
namespace {

// An unevaluated sum hi + lo with |lo| <= ulp(hi) / 2: about 106 bits. Operations as in T. J.
// Dekker, "A floating-point technique for extending the available precision" (1971), products
// through fma.
struct Double2 {
  double hi, lo;
};

Double2 quick_sum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

Double2 add(Double2 a, Double2 b) {
  const double sum = a.hi + b.hi;
  const double part = sum - a.hi;
  const double error = (a.hi - (sum - part)) + (b.hi - part);
  return quick_sum(sum, error + (a.lo + b.lo));
}

Double2 mul(Double2 a, Double2 b) {
  const double product = a.hi * b.hi;
  const double error = __builtin_fma(a.hi, b.hi, -product);
  return quick_sum(product, error + (a.hi * b.lo + a.lo * b.hi));
}

Double2 div(Double2 a, Double2 b) {
  const double q = a.hi / b.hi;
  const Double2 rest = add(a, mul({-q, 0}, b));
  return quick_sum(q, rest.hi / b.hi);
}

constexpr Double2 kLn2 = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

// ln(2^e m) = e ln 2 + 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.172: the series gains 5 bits a
// term.
Double2 log2x(double x) {
  const auto bits = std::bit_cast<int64_t>(x);
  const int64_t e = (bits - std::bit_cast<int64_t>(0x1.6a09e667f3bcdp-1)) >> 52;
  const double m = std::bit_cast<double>(bits - e * (int64_t{1} << 52));
  const Double2 s = div({m - 1, 0}, add({m, 0}, {1, 0}));
  const Double2 square = mul(s, s);
  Double2 sum = {0, 0};
  for (int k = 22; k >= 0; k--) sum = add(mul(sum, square), div({1, 0}, {2.0 * k + 1, 0}));
  const Double2 twice = mul({2, 0}, mul(s, sum));
  return add(mul({static_cast<double>(e), 0}, kLn2), twice);
}

// e^x = 2^n e^r, |r| <= ln(2) / 2: 28 terms of the exponential series leave less than 2^-140.
Double2 exp2x(Double2 x) {
  const double n = (x.hi * 0x1.71547652b82fep+0 + 0x1.8p+52) - 0x1.8p+52;
  const Double2 r = add(x, mul({-n, 0}, kLn2));
  Double2 sum = {1, 0};
  for (int k = 28; k >= 1; k--) sum = add({1, 0}, mul(sum, div(r, {static_cast<double>(k), 0})));
  const double scale = std::bit_cast<double>((static_cast<int64_t>(n) + 1023) << 52);
  return {sum.hi * scale, sum.lo * scale};
}

// Rounds a positive value once: hi is first made odd where lo says that it is inexact, so that ties
// cannot be mistaken.
float round_once(Double2 x) {
  auto bits = std::bit_cast<int64_t>(x.hi);
  if (x.lo != 0 && (bits & 1) == 0) bits += x.lo > 0 ? 1 : -1;
  return static_cast<float>(std::bit_cast<double>(bits));
}

// Taylor polynomials on |r| <= pi/4 (the first term left out is below 2^-58), by Horner in r^2.
double sine(double r) {
  constexpr double kTerms[] = {
      1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800,
      1.0 / 362880,          -1.0 / 5040,          1.0 / 120,        -1.0 / 6};
  const double z = r * r;
  double p = 0;
  for (const double term : kTerms) p = __builtin_fma(p, z, term);
  return __builtin_fma(r * z, p, r);
}

double cosine(double r) {
  constexpr double kTerms[] = {
      1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800,
      1.0 / 40320,          -1.0 / 720,         1.0 / 24,        -1.0 / 2};
  const double z = r * r;
  double p = 0;
  for (const double term : kTerms) p = __builtin_fma(p, z, term);
  return __builtin_fma(p, z, 1.0);
}

}  // namespace

float pow_f32(float base, float exponent) {
  CHECK(base > 0, "pow_f32 of a base that is not positive");
  const Double2 y = mul(log2x(base), {exponent, 0});
  // Beyond f32 either way; keeps 2^n in range.
  if (y.hi > 90) return __builtin_inff();
  if (y.hi < -105) return 0.0f;
  return round_once(exp2x(y));
}

double log_f64(double x) {
  CHECK(x > 0, "log_f64 of a number that is not positive");
  return log2x(x).hi;
}

SinCos sin_cos_f32(float angle) {
  // The product n * hi is a multiple of 2^-52, as is the angle where n is not 0, so the first
  // difference is exact.
  constexpr double kHalfPiHi = 0x1.921fb54442d18p+0, kHalfPiLo = 0x1.1a62633145c07p-54;
  const double x = angle;
  const double n = (x * 0x1.45f306dc9c883p-1 + 0x1.8p+52) - 0x1.8p+52;
  const double r = __builtin_fma(-n, kHalfPiLo, __builtin_fma(-n, kHalfPiHi, x));
  const double s = sine(r), c = cosine(r);
  switch (static_cast<int64_t>(n) & 3) {
    case 0:
      return {static_cast<float>(s), static_cast<float>(c)};
    case 1:
      return {static_cast<float>(c), static_cast<float>(-s)};
    case 2:
      return {static_cast<float>(-s), static_cast<float>(-c)};
    default:
      return {static_cast<float>(-c), static_cast<float>(s)};
  }
}

void default_inv_freq(float theta, int64_t rotary_dim, std::span<float> inv_freq) {
  const FpModeScope mode;
  for (int64_t i = 0; i < rotary_dim / 2; i++) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotary_dim);
    inv_freq[static_cast<size_t>(i)] = 1.0f / pow_f32(theta, exponent);
  }
}

void build_rope_table(std::span<const float> inv_freq, int64_t first, int64_t count,
                      float attention_factor, float* cos, float* sin) {
  const FpModeScope mode;
  for (int64_t position = first; position < first + count; position++) {
    for (const float frequency : inv_freq) {
      const SinCos value = sin_cos_f32(static_cast<float>(position) * frequency);
      *cos++ = value.cos * attention_factor;
      *sin++ = value.sin * attention_factor;
    }
  }
}

}  // namespace strata::kernels
