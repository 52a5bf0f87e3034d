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
  float* powers = nullptr;  // f32 [n] or none; may be x: (x - max) / temperature
};

struct LogitSplitArgs {
  const float* keys = nullptr;     // f32 [n]; NaN is in no range
  const float* weights = nullptr;  // f32 [n], 0 or above
  const int32_t* ids = nullptr;    // [n], or none: first_id, first_id + 1, ...
  int32_t first_id = 0;
  int64_t n = 0;
  float low = 0, high = 0;  // low <= key <= high is packed, key > high is summed
  // What is packed, in the order of the row; room for n each, of which all may be overwritten. Each
  // may be its source above or begin before it.
  float* packed_keys = nullptr;  // or none
  float* packed_weights = nullptr;
  int32_t* packed_ids = nullptr;
};

struct LogitSplit {
  int64_t packed = 0;
  double above = 0;  // weights of keys > high: sixteen sums by index mod 16, then 8, 4, 2, 1
  float least = 0;   // of these the least; infinity without one
};

/// A border in the order (key down, index up): what of a row is not behind it.
struct LogitBorder {
  float key = 0;
  float next = 0;     // the least key that is above it
  int64_t place = 0;  // its index, inside the row: equal keys behind it do not count

  bool holds(float of_key, int64_t index) const { return of_key >= (index <= place ? key : next); }
};

struct LogitsKernels {
  /// out[b] = the largest of x's b-th block of kLogitBlock. NaN is passed over, a block without a
  /// number gives -infinity, zeros and denormals come back as +0. out: f32 [ceil(n / kLogitBlock)].
  void (*block_max)(const float* x, int64_t n, float* out) = nullptr;
  /// Weights and their sums by blocks.
  void (*weights)(const LogitWeightsArgs& args) = nullptr;
  /// out[b] = the sum of x's b-th block of kLogitBlock, by the fixed tree.
  void (*block_sums)(const float* x, int64_t n, float* out) = nullptr;
  /// The sum of weights[i] * powers[i] where the weight is not 0: products exact, sixteen sums in
  /// double by i mod 16, then 8, 4, 2, 1.
  double (*sum_products)(const float* weights, const float* powers, int64_t n) = nullptr;
  /// keys[i] = -|f32(keys[i] - mean)|, or -infinity where the weight is 0.
  void (*deviations)(const float* weights, int64_t n, double mean, float* keys) = nullptr;
  /// A range of keys, with ids and weights, out of a row.
  LogitSplit (*split)(const LogitSplitArgs& args) = nullptr;
  /// As block_sums, of the weights whose key the border holds; NaN is held by none.
  void (*held_sums)(const float* keys, const float* weights, int64_t n, const LogitBorder& border,
                    float* out) = nullptr;
  /// tree(exp(x - max)), the sum under the log of log-softmax; NaN counts as +0.
  float (*sum_exp)(const float* x, int64_t n, float max) = nullptr;
};

}  // namespace strata::kernels
