// Passes over one row of logits, for whoever chooses tokens: a table of functions per instruction
// set. Each runs on the calling thread alone, in the mode of fp_mode.h, and allocates nothing; all
// sets give the same bits (ref/logits.cc is the definition).
#pragma once

#include <cstdint>

namespace strata::kernels {

/// Ids whose largest logit and whose sum of weights are one number each.
inline constexpr int64_t kLogitBlock = 64;

struct LogitWeightsArgs {
  const float* x = nullptr;  // f32 [n]
  int64_t n = 0;
  float max = 0;          // finite, no logit is larger
  float temperature = 1;  // above 0
  float* out = nullptr;   // f32 [n]: exp((x - max) / temperature), NaN gives +0
  float* sums = nullptr;  // f32 [ceil(n / kLogitBlock)]: of each block's weights, by the fixed tree
};

struct LogitsKernels {
  /// out[b] = the largest of x's b-th block of kLogitBlock. NaN is passed over, a block without a
  /// number gives -infinity, zeros and denormals come back as +0. out: f32 [ceil(n / kLogitBlock)].
  void (*block_max)(const float* x, int64_t n, float* out) = nullptr;
  /// Weights and their sums by blocks.
  void (*weights)(const LogitWeightsArgs& args) = nullptr;
  /// tree(exp(x - max)), the sum under the log of log-softmax; NaN counts as +0.
  float (*sum_exp)(const float* x, int64_t n, float max) = nullptr;
};

}  // namespace strata::kernels
