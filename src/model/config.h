// From config.json and generation_config.json to a ModelSpec and defaults. Reads both forms of the
// config: that of Transformers 4 (rope_theta, rope_scaling, torch_dtype) and that of 5
// (rope_parameters, dtype, layer_types). Every value is checked against a stated range; what the
// family table does not hold is refused as "not yet". Runs nothing that a config names (auto_map).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/spec.h"
#include "tensor/dtype.h"

namespace strata::model {

struct ModelConfig {
  ModelSpec spec;
  std::string architecture;  // as the file says: "LlamaForCausalLM"; may be empty
  std::optional<tensor::DType>
      dtype;  // torch_dtype / dtype: what it was trained in; the checkpoint decides
  std::optional<int64_t> bos_id;
  std::vector<int64_t> eos_ids;       // generation_config.json overrides these
  std::vector<std::string> warnings;  // one line each, for the caller to show
};

/// `text`: the whole config.json. Failures: kInvalidData with key, value and allowed range;
/// kUnsupported for models that are known but not built (other families, quantised weights), naming
/// the nearest supported family.
Result<ModelConfig> parse_config(std::string_view text);

/// How the model's makers want it sampled; what the file does not say stays empty and the caller's
/// default holds.
struct GenerationDefaults {
  std::vector<int64_t> eos_ids;  // any of them ends a sequence
  std::optional<int64_t> bos_id;
  std::optional<int64_t> pad_id;
  std::optional<bool> do_sample;      // false: greedy, temperature notwithstanding
  std::optional<double> temperature;  // 0 .. 100; 0 means greedy
  std::optional<int64_t> top_k;       // 0: off
  std::optional<double> top_p;        // 0 .. 1
  std::optional<double> min_p;        // 0 .. 1
  std::vector<std::string> warnings;
};

/// `text`: the whole generation_config.json, or nothing where the folder has none (then ids come
/// from config.json).
Result<GenerationDefaults> parse_generation_config(std::optional<std::string_view> text,
                                                   const ModelConfig& config);

/// Names of the supported families, for messages and `--help`: "llama, mistral, qwen2, qwen3".
std::string supported_families();

}  // namespace strata::model
