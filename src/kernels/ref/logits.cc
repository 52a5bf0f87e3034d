// Definition of the passes over a row of logits.
#include "kernels/logits_kernels.h"
#include "kernels/ref/math.h"
#include "kernels/ref/ref.h"

namespace strata::kernels {
namespace {

void block_max(const float* x, int64_t n, float* out) {
  for (int64_t begin = 0; begin < n; begin += kLogitBlock) {
    float max = -__builtin_inff();
    for (int64_t i = begin; i < n && i < begin + kLogitBlock; i++) max = x[i] > max ? x[i] : max;
    // Which of several zeros was met first must not show.
    out[begin / kLogitBlock] = max + 0.0f;
  }
}

float weight(float difference) { return difference != difference ? 0.0f : exp_f32(difference); }

double fold_wide(double (&p)[16]) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) p[i] = p[i] + p[i + half];
  }
  return p[0];
}

void weights(const LogitWeightsArgs& a) {
  for (int64_t begin = 0; begin < a.n; begin += kLogitBlock) {
    float p[16] = {};
    for (int64_t i = begin; i < a.n && i < begin + kLogitBlock; i++) {
      const float power = (a.x[i] - a.max) / a.temperature;
      if (a.powers != nullptr) a.powers[i] = power;
      a.out[i] = weight(power);
      p[i % 16] = p[i % 16] + a.out[i];
    }
    a.sums[begin / kLogitBlock] = fold_tree(p);
  }
}

double sum_products(const float* weights, const float* powers, int64_t n) {
  double p[16] = {};
  for (int64_t i = 0; i < n; i++) {
    if (weights[i] > 0)
      p[i % 16] = p[i % 16] + static_cast<double>(weights[i]) * static_cast<double>(powers[i]);
  }
  return fold_wide(p);
}

void block_sums(const float* x, int64_t n, float* out) {
  for (int64_t begin = 0; begin < n; begin += kLogitBlock) {
    float p[16] = {};
    for (int64_t i = begin; i < n && i < begin + kLogitBlock; i++) p[i % 16] = p[i % 16] + x[i];
    out[begin / kLogitBlock] = fold_tree(p);
  }
}

void deviations(const float* weights, int64_t n, double mean, float* keys) {
  for (int64_t i = 0; i < n; i++) {
    const float distance = static_cast<float>(static_cast<double>(keys[i]) - mean);
    keys[i] = weights[i] > 0 ? -__builtin_fabsf(distance) : -__builtin_inff();
  }
}

LogitSplit split(const LogitSplitArgs& a) {
  LogitSplit made{.least = __builtin_inff()};
  double p[16] = {};
  for (int64_t i = 0; i < a.n; i++) {
    const float key = a.keys[i], weight = a.weights[i];
    const int32_t id = a.ids != nullptr ? a.ids[i] : a.first_id + static_cast<int32_t>(i);
    if (key > a.high) {
      p[i % 16] = p[i % 16] + static_cast<double>(weight);
      if (weight < made.least) made.least = weight;
    }
    if (!(a.low <= key && key <= a.high)) continue;
    if (a.packed_keys != nullptr) a.packed_keys[made.packed] = key;
    a.packed_weights[made.packed] = weight;
    a.packed_ids[made.packed++] = id;
  }
  made.above = fold_wide(p);
  return made;
}

void held_sums(const float* keys, const float* weights, int64_t n, const LogitBorder& border,
               float* out) {
  for (int64_t begin = 0; begin < n; begin += kLogitBlock) {
    float p[16] = {};
    for (int64_t i = begin; i < n && i < begin + kLogitBlock; i++)
      p[i % 16] = p[i % 16] + (border.holds(keys[i], i) ? weights[i] : 0.0f);
    out[begin / kLogitBlock] = fold_tree(p);
  }
}

float sum_exp(const float* x, int64_t n, float max) {
  float p[16] = {};
  for (int64_t i = 0; i < n; i++) p[i % 16] = p[i % 16] + weight(x[i] - max);
  return fold_tree(p);
}

}  // namespace

const LogitsKernels kLogitsScalar = {block_max,  weights, block_sums, sum_products,
                                     deviations, split,   held_sums,  sum_exp};

}  // namespace strata::kernels
