// What the dense decoder families share: reading sizes, layers with a window on some of them,
// common checks. The differences (defaults, biases, norms, which layers have a window) are the
// family files'.
#pragma once

#include "model/families/family.h"

namespace strata::model {

/// What a family takes for keys that its config.json leaves out, as its Transformers config class
/// has them.
struct DenseDefaults {
  int64_t vocab = 0;
  int64_t hidden = 4096;
  int64_t intermediate = 0;
  int64_t layers = 32;
  int64_t q_heads = 32;
  int64_t kv_heads = 0;  // 0: as many as q heads
  int64_t head_dim = 0;  // 0: hidden / q heads
  int64_t max_position = 0;
};

struct DenseSizes {
  LayerSpec layer;  // without window, biases and head norms: the family adds its own
  int64_t layers = 0;
};

/// Reads sizes, norm epsilon, activation, RoPE and head tying. Everything but the layers goes into
/// config.spec.
Result<DenseSizes> read_dense(const ConfigReader& reader, const DenseDefaults& defaults,
                              ModelConfig& config);

/// Appends `layer` `count` times; all of them see `window` keys (0: all).
void add_uniform_layers(ModelSpec& spec, LayerSpec layer, int64_t count, int64_t window);

/// Appends the layers of a Qwen2 or Qwen3 model. Which of them have a window is said by
/// use_sliding_window, then layer_types or, in older files, max_window_layers (the first layers
/// without a window).
Result<void> add_qwen_layers(const ConfigReader& reader, const DenseSizes& sizes, ModelSpec& spec);

/// sliding_window in keys: null is 0 (all keys), a missing key is `fallback`.
Result<int64_t> read_window(const ConfigReader& reader, int64_t fallback);

}  // namespace strata::model
