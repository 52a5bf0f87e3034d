// config.json of every family in both forms: the same spec from either, defaults as Transformers
// has them, tensor names, windows and KV groups.
#include "model/config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace strata::model {
namespace {

ModelConfig parse(std::string_view text) {
  auto config = parse_config(text);
  EXPECT_TRUE(config.has_value()) << (config ? "" : config.error().message());
  return config ? std::move(*config) : ModelConfig{};
}

const TensorSpec* find(const ModelSpec& spec, std::string_view name) {
  const auto it = std::ranges::find(spec.tensors, name, &TensorSpec::name);
  return it == spec.tensors.end() ? nullptr : &*it;
}

// Empty where there is no such tensor.
std::vector<int64_t> shape_of(const ModelSpec& spec, std::string_view name) {
  const TensorSpec* tensor = find(spec, name);
  return tensor == nullptr ? std::vector<int64_t>{} : tensor->shape();
}

constexpr std::string_view kSizes =
    R"("vocab_size": 272, "hidden_size": 64, "intermediate_size": 160,
    "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5)";

std::string with_sizes(std::string_view type, std::string_view rest) {
  return fmt::format(R"({{"model_type": "{}", {}, {}}})", type, kSizes, rest);
}

struct FormPair {
  std::string_view name;
  std::string_view type;
  std::string_view old_form;
  std::string_view new_form;
};

class BothForms : public testing::TestWithParam<FormPair> {};

TEST_P(BothForms, GiveOneSpec) {
  const FormPair& pair = GetParam();
  const ModelConfig old_form = parse(with_sizes(pair.type, pair.old_form));
  const ModelConfig new_form = parse(with_sizes(pair.type, pair.new_form));
  EXPECT_EQ(old_form.spec, new_form.spec);
  EXPECT_EQ(old_form.dtype, new_form.dtype);
  EXPECT_EQ(old_form.spec.layers.size(), 4u);
}

constexpr FormPair kFormPairs[] = {
    {"llama_default", "llama",
     R"("rope_theta": 500000.0, "torch_dtype": "bfloat16", "rope_scaling": null)",
     R"("rope_parameters": {"rope_type": "default", "rope_theta": 500000.0}, "dtype": "bfloat16")"},
    {"llama_linear", "llama", R"("rope_scaling": {"type": "linear", "factor": 4})",
     R"("rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000})"},
    {"llama_dynamic", "llama", R"("rope_scaling": {"type": "dynamic", "factor": 2.0})",
     R"("rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0})"},
    {"llama3", "llama",
     R"("rope_theta": 500000, "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
        "high_freq_factor": 4, "original_max_position_embeddings": 1024})",
     R"("rope_parameters": {"rope_type": "llama3", "rope_theta": 500000, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 1024})"},
    {"qwen2_yarn", "qwen2",
     R"("rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512})",
     R"("rope_parameters": {"rope_type": "yarn", "type": "yarn", "rope_theta": 1000000, "factor": 4.0,
        "original_max_position_embeddings": 512, "beta_fast": 32, "beta_slow": 1})"},
    {"qwen2_windows", "qwen2",
     R"("use_sliding_window": true, "sliding_window": 96, "max_window_layers": 2)",
     R"("use_sliding_window": true, "sliding_window": 96, "layer_types": ["full_attention", "full_attention",
        "sliding_attention", "sliding_attention"])"},
    {"qwen3_windows_off", "qwen3",
     R"("use_sliding_window": false, "sliding_window": 96, "max_window_layers": 0)",
     R"("sliding_window": null, "layer_types": ["full_attention", "full_attention", "full_attention", "full_attention"])"},
    {"mistral", "mistral", R"("sliding_window": 64, "rope_theta": 10000.0)",
     R"("sliding_window": 64, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0})"},
};

INSTANTIATE_TEST_SUITE_P(Config, BothForms, testing::ValuesIn(kFormPairs),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Config, RopeFieldsArriveWhereTheyBelong) {
  const RopeSpec rope =
      parse(with_sizes("llama", R"("rope_theta": 500000, "rope_scaling": {"rope_type": "llama3",
      "factor": 32, "low_freq_factor": 1.5, "high_freq_factor": 5, "original_max_position_embeddings": 1024})"))
          .spec.ropes.at(0);
  EXPECT_EQ(rope, (RopeSpec{.kind = RopeKind::kLlama3,
                            .theta = 500000,
                            .rotary_dim = 16,
                            .factor = 32,
                            .original_max_position = 1024,
                            .low_freq_factor = 1.5,
                            .high_freq_factor = 5}));
}

TEST(Config, YarnReadsAllItsKeys) {
  const RopeSpec rope =
      parse(with_sizes("qwen3", R"("rope_scaling": {"rope_type": "yarn", "factor": null,
      "original_max_position_embeddings": 256, "beta_fast": 16, "beta_slow": 2, "mscale": 0.7, "mscale_all_dim": 0.5,
      "truncate": false, "attention_factor": 1.25})"))
          .spec.ropes.at(0);
  EXPECT_EQ(rope, (RopeSpec{.kind = RopeKind::kYarn,
                            .rotary_dim = 128,
                            .factor = 8,
                            .original_max_position = 256,
                            .beta_fast = 16,
                            .beta_slow = 2,
                            .truncate = false,
                            .mscale = 0.7,
                            .mscale_all_dim = 0.5,
                            .attention_factor = 1.25}));
}

TEST(Config, OriginalLengthFallsBackToTheWholeLength) {
  const auto spec =
      parse(with_sizes("llama", R"("rope_scaling": {"rope_type": "yarn", "factor": 2})")).spec;
  EXPECT_EQ(spec.ropes.at(0).original_max_position, 2048);
}

TEST(Config, LlamaBiasesAndNames) {
  const ModelSpec spec =
      parse(with_sizes("llama", R"("attention_bias": true, "mlp_bias": true)")).spec;
  EXPECT_EQ(shape_of(spec, "model.layers.3.self_attn.q_proj.bias"), (std::vector<int64_t>{64}));
  EXPECT_EQ(shape_of(spec, "model.layers.3.self_attn.v_proj.bias"), (std::vector<int64_t>{32}));
  EXPECT_EQ(shape_of(spec, "model.layers.0.self_attn.o_proj.bias"), (std::vector<int64_t>{64}));
  EXPECT_EQ(shape_of(spec, "model.layers.0.mlp.down_proj.bias"), (std::vector<int64_t>{64}));
  EXPECT_EQ(shape_of(spec, "model.layers.0.mlp.down_proj.weight"), (std::vector<int64_t>{64, 160}));
  EXPECT_EQ(shape_of(spec, "lm_head.weight"), (std::vector<int64_t>{272, 64}));
  EXPECT_EQ(find(spec, "model.layers.4.self_attn.q_proj.weight"), nullptr);
  EXPECT_EQ(spec.tensors.size(), 3u + 4u * 16u);
}

TEST(Config, EveryTensorIsNamedOnceAndKnowsItsLayer) {
  const ModelSpec spec = parse(with_sizes("qwen3", R"("attention_bias": true)")).spec;
  std::vector<std::string> names;
  for (const TensorSpec& tensor : spec.tensors) {
    names.push_back(tensor.name);
    const std::string prefix = fmt::format("model.layers.{}.", tensor.layer);
    EXPECT_EQ(tensor.name.starts_with(prefix), tensor.layer >= 0) << tensor.name;
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

TEST(Config, Qwen2HasQkvBiasesOnly) {
  const ModelSpec spec =
      parse(with_sizes("qwen2", R"("attention_bias": false, "tie_word_embeddings": true)")).spec;
  EXPECT_NE(find(spec, "model.layers.0.self_attn.k_proj.bias"), nullptr);
  EXPECT_EQ(find(spec, "model.layers.0.self_attn.o_proj.bias"), nullptr);
  EXPECT_EQ(find(spec, "model.layers.0.self_attn.q_norm.weight"), nullptr);
  EXPECT_TRUE(find(spec, "lm_head.weight")->optional);
}

TEST(Config, Qwen3HasHeadNormsAndItsOwnHeadSize) {
  const ModelSpec spec = parse(with_sizes("qwen3", R"("torch_dtype": "float32")")).spec;
  EXPECT_EQ(spec.layers.at(0).attention.head_dim, 128);
  EXPECT_EQ(shape_of(spec, "model.layers.0.self_attn.q_proj.weight"),
            (std::vector<int64_t>{512, 64}));
  EXPECT_EQ(shape_of(spec, "model.layers.0.self_attn.k_norm.weight"), (std::vector<int64_t>{128}));
}

TEST(Config, MistralWindowsOnAllLayersNoneWhereNull) {
  const ModelSpec given = parse(with_sizes("mistral", R"("sliding_window": 64)")).spec;
  for (const LayerSpec& layer : given.layers) EXPECT_EQ(layer.attention.window, 64);
  EXPECT_EQ(
      parse(with_sizes("mistral", R"("sliding_window": null)")).spec.layers.at(3).attention.window,
      0);
  EXPECT_EQ(parse(with_sizes("mistral", R"("head_dim": 20)")).spec.layers.at(0).attention.window,
            4096);
}

TEST(Config, DefaultsAreTheFamilys) {
  const ModelSpec llama = parse(R"({"model_type": "llama"})").spec;
  EXPECT_EQ(llama.layers.size(), 32u);
  EXPECT_EQ(llama.layers[0].attention.kv_heads, 32);
  EXPECT_EQ(llama.layers[0].mlp.intermediate, 11008);
  EXPECT_EQ(llama.ropes.at(0).theta, 10000);
  EXPECT_EQ(llama.norm_eps, 1e-6f);
  const ModelSpec mistral = parse(R"({"model_type": "mistral"})").spec;
  EXPECT_EQ(mistral.layers[0].attention.kv_heads, 8);
  EXPECT_EQ(mistral.max_position, 131072);
  const ModelSpec qwen3 = parse(R"({"architectures": ["Qwen3ForCausalLM"]})").spec;
  EXPECT_EQ(qwen3.family, "qwen3");
  EXPECT_EQ(qwen3.vocab, 151936);
}

TEST(Config, NullKvHeadsMeansAsManyAsQueryHeads) {
  const auto spec =
      parse(R"({"model_type": "mistral", "num_attention_heads": 16, "num_key_value_heads": null,
                              "head_dim": null})")
          .spec;
  EXPECT_EQ(spec.layers[0].attention.kv_heads, 16);
  EXPECT_EQ(spec.layers[0].attention.head_dim, 256);
}

TEST(Config, WindowedAndFullLayersFormTwoGroups) {
  const ModelSpec spec =
      parse(with_sizes("qwen2", R"("use_sliding_window": true, "sliding_window": 96,
      "layer_types": ["full_attention", "sliding_attention", "full_attention", "sliding_attention"])"))
          .spec;
  const KvLayout layout = make_kv_layout(spec, tensor::ProductKind::kBf16);
  ASSERT_EQ(layout.groups.size(), 2u);
  EXPECT_EQ(layout.groups[0].window, 0);
  EXPECT_EQ(layout.groups[0].layers, (std::vector<int>{0, 2}));
  EXPECT_EQ(layout.groups[1].window, 96);
  EXPECT_EQ(layout.groups[1].layers, (std::vector<int>{1, 3}));
  EXPECT_EQ(spec.layers[3].attention.kv_group, 1);
  EXPECT_EQ(spec.layers[3].attention.kv_index, 1);
  // 2 layers x (K and V) x 2 heads x 32 tokens x 32 columns (16 padded) x 2 bytes.
  EXPECT_EQ(layout.groups[0].block_bytes(), 2 * 2 * 2 * 32 * 32 * 2);
  EXPECT_EQ(layout.groups[0].bytes_per_token(), 2 * 2 * 2 * 32 * 2);
}

TEST(Config, BlocksAreWholePages) {
  const ModelSpec spec =
      parse(R"({"model_type": "llama", "num_hidden_layers": 3, "num_attention_heads": 5,
      "num_key_value_heads": 1, "head_dim": 40, "hidden_size": 200})")
          .spec;
  const KvGroupSpec group = make_kv_layout(spec, tensor::ProductKind::kF16).groups.at(0);
  EXPECT_EQ(group.block_bytes() % 4096, 0);
  EXPECT_EQ(group.block_bytes(), 24576);  // 3 x 2 x 32 x 64 x 2
}

TEST(Config, IdsDtypeAndWarnings) {
  const ModelConfig config =
      parse(with_sizes("llama", R"("eos_token_id": [7, 300, -1], "bos_token_id": 1,
      "torch_dtype": "torch.float16", "auto_map": {"AutoModel": "evil.Model"}, "trust_remote_code": true,
      "_attn_implementation": "flash", "custom_pipelines": {"x": {}}, "made_up_key": 5)"));
  EXPECT_EQ(config.eos_ids, (std::vector<int64_t>{7}));
  EXPECT_EQ(config.bos_id, 1);
  EXPECT_EQ(config.dtype, tensor::DType::kF16);
  EXPECT_EQ(config.warnings.size(), 6u);
}

}  // namespace
}  // namespace strata::model
