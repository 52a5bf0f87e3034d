// For tests: a tiny random model folder with two KV groups, as a user's folder would be. No product
// code links it.
#pragma once

#include <fstream>
#include <memory>
#include <string>

#include "base/env.h"
#include "engine/opened_model.h"
#include "model/config.h"
#include "model/test_support.h"

namespace strata::engine::testing {

/// Qwen2 with a window of 40 tokens on layers 1 and 2 of 3: layer 0 keeps everything. 512 B of KV a
/// token and layer.
inline constexpr const char* kTwoGroupConfig = R"({
  "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 64, "intermediate_size": 96,
  "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 97,
  "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": false,
  "hidden_act": "silu", "use_sliding_window": true, "sliding_window": 40, "max_window_layers": 1, "torch_dtype": "bfloat16",
  "eos_token_id": 3})";

class TestModel {
 public:
  explicit TestModel(void (*change)(model::testing::TestTensors&) = nullptr)
      : config_(parsed()), folder_(tensors(config_.spec, change)) {
    std::ofstream(folder_.path() + "/config.json") << kTwoGroupConfig;
  }

  std::unique_ptr<OpenedModel> open(model::WeightDtype dtype = model::WeightDtype::kAuto) const {
    auto opened = OpenedModel::open(real_env(), folder_.path(), "", dtype);
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(*opened);
  }
  std::string path() const { return folder_.path(); }

 private:
  static model::ModelConfig parsed() {
    auto config = model::parse_config(kTwoGroupConfig);
    EXPECT_TRUE(config) << config.error().message();
    return std::move(*config);
  }
  static model::testing::TestTensors tensors(const model::ModelSpec& spec,
                                             void (*change)(model::testing::TestTensors&)) {
    auto made = model::testing::random_tensors(spec, tensor::DType::kBF16);
    if (change != nullptr) change(made);
    return made;
  }

  model::ModelConfig config_;
  model::testing::TestFolder folder_;
};

}  // namespace strata::engine::testing
