// Routines of load time: the frequencies and the cosine/sine table of RoPE, in f64 or better and
// without libm, whose variants differ between machines. Portable code; called while a model is
// loaded, never inside a step.
#pragma once

#include <cstdint>
#include <span>

namespace strata::kernels {

/// base^exponent rounded once to f32 (computed to about 100 bits); base > 0, both finite.
float pow_f32(float base, float exponent);

/// Natural logarithm to within an ulp of f64; x > 0 and normal.
double log_f64(double x);

struct SinCos {
  float sin;
  float cos;
};

/// Sine and cosine of exactly this f32 number, each computed in f64 and rounded to f32: within an
/// ulp for |angle| <= 2^21.
SinCos sin_cos_f32(float angle);

/// inv_freq[i] = 1 / theta^((2 i) / rotary_dim) for i < rotary_dim / 2, before any scaling.
void default_inv_freq(float theta, int64_t rotary_dim, std::span<float> inv_freq);

/// Fills cos and sin, [count][inv_freq.size()] each, with attention_factor * cos or sin of
/// f32(position) * inv_freq[i] for the `count` positions from `first` on.
void build_rope_table(std::span<const float> inv_freq, int64_t first, int64_t count,
                      float attention_factor, float* cos, float* sin);

}  // namespace strata::kernels
