// Llama 2, 3, 3.1 and later text models, and everything published under model_type "llama" (Yi,
// SmolLM2, TinyLlama, ...).
#include "model/families/dense.h"

namespace strata::model {

Result<void> read_llama(const ConfigReader& reader, ModelConfig& config) {
  constexpr DenseDefaults kDefaults{.vocab = 32000, .intermediate = 11008, .max_position = 2048};
  DenseSizes dense = TRY(read_dense(reader, kDefaults, config));
  dense.layer.attention.qkv_bias = dense.layer.attention.out_bias =
      TRY(reader.flag("attention_bias", false));
  dense.layer.mlp.bias = TRY(reader.flag("mlp_bias", false));
  add_uniform_layers(config.spec, dense.layer, dense.layers, 0);
  return {};
}

}  // namespace strata::model
