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

void weights(const LogitWeightsArgs& a) {
  for (int64_t begin = 0; begin < a.n; begin += kLogitBlock) {
    float p[16] = {};
    for (int64_t i = begin; i < a.n && i < begin + kLogitBlock; i++) {
      a.out[i] = weight((a.x[i] - a.max) / a.temperature);
      p[i % 16] = p[i % 16] + a.out[i];
    }
    a.sums[begin / kLogitBlock] = fold_tree(p);
  }
}

float sum_exp(const float* x, int64_t n, float max) {
  float p[16] = {};
  for (int64_t i = 0; i < n; i++) p[i % 16] = p[i % 16] + weight(x[i] - max);
  return fold_tree(p);
}

}  // namespace

const LogitsKernels kLogitsScalar = {block_max, weights, sum_exp};

}  // namespace strata::kernels
