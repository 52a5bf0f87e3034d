// Qwen2 and Qwen2.5 dense models: biases on q, k and v only, optional windows on the later layers.
#include "model/families/dense.h"

namespace strata::model {

Result<void> read_qwen2(const ConfigReader& reader, ModelConfig& config) {
  constexpr DenseDefaults kDefaults{
      .vocab = 151936, .intermediate = 22016, .kv_heads = 32, .max_position = 32768};
  DenseSizes dense = TRY(read_dense(reader, kDefaults, config));
  dense.layer.attention.qkv_bias = true;
  return add_qwen_layers(reader, dense, config.spec);
}

}  // namespace strata::model
