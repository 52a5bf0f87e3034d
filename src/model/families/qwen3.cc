// Qwen3 dense models: RMSNorm on every head of q and k, biases only if asked, optional windows on
// the later layers.
#include "model/families/dense.h"

namespace strata::model {

Result<void> read_qwen3(const ConfigReader& reader, ModelConfig& config) {
  constexpr DenseDefaults kDefaults{.vocab = 151936,
                                    .intermediate = 22016,
                                    .kv_heads = 32,
                                    .head_dim = 128,
                                    .max_position = 32768};
  DenseSizes dense = TRY(read_dense(reader, kDefaults, config));
  dense.layer.attention.qk_norm = true;
  dense.layer.attention.qkv_bias = dense.layer.attention.out_bias =
      TRY(reader.flag("attention_bias", false));
  return add_qwen_layers(reader, dense, config.spec);
}

}  // namespace strata::model
