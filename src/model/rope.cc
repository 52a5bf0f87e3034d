// See rope.h. Scalars that Transformers holds as Python floats are doubles here and become f32
// where they meet its f32 tensors; a number divided by a tensor is there the tensor's reciprocal
// times the number, so it is here.
#include "model/rope.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "kernels/math_tables.h"

namespace strata::model {
namespace {

constexpr int64_t kPositionsPerItem = 64;

float f32(double value) { return static_cast<float>(value); }

// e^x to a few ulps of f64 for |x| < 700: 2^n times the Taylor series of the rest, whose terms end
// below 2^-53 at the 14th.
double exp_f64(double x) {
  constexpr double kLn2Hi = 0x1.62e42feep-1, kLn2Lo = 0x1.a39ef35793c76p-33;
  const double n = std::nearbyint(x * std::numbers::log2e);
  const double r = (x - n * kLn2Hi) - n * kLn2Lo;
  double sum = 1;
  for (int i = 14; i > 0; i--) sum = 1 + sum * r / i;
  return sum * std::bit_cast<double>(static_cast<int64_t>(n + 1023) << 52);
}

double pow_f64(double base, double exponent) { return exp_f64(exponent * kernels::log_f64(base)); }

std::vector<float> default_frequencies(double theta, int64_t rotary_dim) {
  std::vector<float> inv_freq(static_cast<size_t>(rotary_dim / 2));
  kernels::default_inv_freq(f32(theta), rotary_dim, inv_freq);
  return inv_freq;
}

void scale_linear(const RopeSpec& spec, std::vector<float>& inv_freq) {
  for (float& frequency : inv_freq) frequency /= f32(spec.factor);
}

// Long waves are stretched by `factor`, short ones kept, those between blended.
void scale_llama3(const RopeSpec& spec, std::vector<float>& inv_freq) {
  const auto length = static_cast<double>(spec.original_max_position);
  const float factor = f32(spec.factor);
  const float longest = f32(length / spec.low_freq_factor),
              shortest = f32(length / spec.high_freq_factor);
  const float blend_width = f32(spec.high_freq_factor - spec.low_freq_factor);
  for (float& frequency : inv_freq) {
    const float wave = (1.0f / frequency) * f32(2 * std::numbers::pi);
    if (wave > longest) {
      frequency /= factor;
    } else if (!(wave < shortest)) {
      const float smooth = ((1.0f / wave) * f32(length) - f32(spec.low_freq_factor)) / blend_width;
      frequency = ((1.0f - smooth) * frequency) / factor + smooth * frequency;
    }
  }
}

double yarn_mscale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * kernels::log_f64(factor) + 1.0;
}

double yarn_attention_factor(const RopeSpec& spec) {
  if (spec.attention_factor != 0) return spec.attention_factor;
  if (spec.mscale != 0 && spec.mscale_all_dim != 0) {
    return yarn_mscale(spec.factor, spec.mscale) / yarn_mscale(spec.factor, spec.mscale_all_dim);
  }
  return yarn_mscale(spec.factor, 1);
}

// The column at which a wave turns `rotations` times over the original length.
double yarn_column(const RopeSpec& spec, double rotations) {
  const double turns =
      static_cast<double>(spec.original_max_position) / (rotations * 2 * std::numbers::pi);
  return static_cast<double>(spec.rotary_dim) * kernels::log_f64(turns) /
         (2 * kernels::log_f64(spec.theta));
}

// Columns before `low` keep their frequency, those after `high` are stretched, with a ramp between.
void scale_yarn(const RopeSpec& spec, std::vector<float>& inv_freq) {
  double low = yarn_column(spec, spec.beta_fast), high = yarn_column(spec, spec.beta_slow);
  if (spec.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(spec.rotary_dim - 1));
  if (low == high) high += 0.001;  // a ramp needs a width
  for (size_t i = 0; i < inv_freq.size(); i++) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(spec.rotary_dim);
    const float wave = kernels::pow_f32(f32(spec.theta), exponent);
    const float ramp = std::clamp((static_cast<float>(i) - f32(low)) / f32(high - low), 0.0f, 1.0f);
    const float kept = 1.0f - ramp;
    const float stretched = 1.0f / (f32(spec.factor) * wave);
    inv_freq[i] = stretched * (1.0f - kept) + inv_freq[i] * kept;
  }
}

// The theta at which `length` positions turn the slowest wave as far as the original length did.
double dynamic_theta(const RopeSpec& spec, int64_t max_model_len) {
  const auto original = static_cast<double>(spec.original_max_position);
  const double length = std::max(static_cast<double>(max_model_len), original);
  const double stretch = (spec.factor * length / original) - (spec.factor - 1);
  const auto dim = static_cast<double>(spec.rotary_dim);
  return spec.theta * pow_f64(stretch, dim / (dim - 2));
}

}  // namespace

RopeFrequencies rope_frequencies(const RopeSpec& spec, int64_t max_model_len) {
  const bool dynamic = spec.kind == RopeKind::kDynamic;
  const double theta = dynamic ? dynamic_theta(spec, max_model_len) : spec.theta;
  RopeFrequencies out{.inv_freq = default_frequencies(theta, spec.rotary_dim)};
  switch (spec.kind) {
    case RopeKind::kDefault:
    case RopeKind::kDynamic:
      break;
    case RopeKind::kLinear:
      scale_linear(spec, out.inv_freq);
      break;
    case RopeKind::kLlama3:
      scale_llama3(spec, out.inv_freq);
      break;
    case RopeKind::kYarn:
      scale_yarn(spec, out.inv_freq);
      out.attention_factor = f32(yarn_attention_factor(spec));
      break;
  }
  return out;
}

int64_t rope_table_bytes(const RopeSpec& spec, int64_t max_model_len) {
  return 2 * max_model_len * (spec.rotary_dim / 2) * int64_t{sizeof(float)};
}

Result<RopeTables> build_rope_tables(device::Device& device, const RopeSpec& spec,
                                     int64_t max_model_len, ComputePool& pool) {
  const RopeFrequencies frequencies = rope_frequencies(spec, max_model_len);
  const auto half = static_cast<int64_t>(frequencies.inv_freq.size());
  RopeTables tables;
  tables.rotary_dim = spec.rotary_dim;
  tables.memory = TRY(device.allocate(rope_table_bytes(spec, max_model_len)));
  auto* const cos = reinterpret_cast<float*>(tables.memory.data());
  float* const sin = cos + max_model_len * half;
  const int64_t items = (max_model_len + kPositionsPerItem - 1) / kPositionsPerItem;
  pool.run(items, [&](int64_t item, int) {
    const int64_t first = item * kPositionsPerItem;
    kernels::build_rope_table(frequencies.inv_freq, first,
                              std::min(kPositionsPerItem, max_model_len - first),
                              frequencies.attention_factor, cos + first * half, sin + first * half);
  });
  tables.cos = cos;
  tables.sin = sin;
  return tables;
}

}  // namespace strata::model
