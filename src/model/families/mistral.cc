// Mistral 7B and its kin: Llama without biases, with one sliding window for all layers (null in
// v0.2 and later).
#include "model/families/dense.h"

namespace strata::model {

Result<void> read_mistral(const ConfigReader& reader, ModelConfig& config) {
  constexpr DenseDefaults kDefaults{
      .vocab = 32000, .intermediate = 14336, .kv_heads = 8, .max_position = 131072};
  const DenseSizes dense = TRY(read_dense(reader, kDefaults, config));
  const int64_t window = TRY(read_window(reader, 4096));
  if (reader.has_value("layer_types")) {
    config.warnings.push_back(
        "config.json: layer_types ignored: model_type mistral has one sliding_window for all "
        "layers");
  }
  add_uniform_layers(config.spec, dense.layer, dense.layers, window);
  return {};
}

}  // namespace strata::model
