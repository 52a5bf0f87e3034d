// Configs that must be refused: each with one error that names the key and what would be right
// (numbers, types, contradictions, things not built yet).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "model/config.h"

namespace strata::model {
namespace {

constexpr std::string_view kGood =
    R"({"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "vocab_size": 272,
    "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "hidden_act": "silu",
    "rope_theta": 10000.0, "sliding_window": 64, "use_sliding_window": true, "max_window_layers": 1,
    "tie_word_embeddings": false, "attention_bias": false})";

// The good config with `key` set to `value` (JSON text), or removed where `value` is empty.
std::string changed(std::string_view key, std::string_view value) {
  Json document = *parse_json(kGood, "good");
  if (value.empty()) {
    document.erase(std::string(key));
  } else {
    document[std::string(key)] = *parse_json(value, "value");
  }
  return document.dump();
}

Status failure(std::string_view text) {
  auto config = parse_config(text);
  EXPECT_FALSE(config.has_value()) << text;
  return config ? Status{} : std::move(config.error());
}

TEST(BadConfig, TheGoodOneIsGood) {
  auto config = parse_config(kGood);
  ASSERT_TRUE(config.has_value()) << config.error().message();
  EXPECT_EQ(config->spec.layers[1].attention.window, 64);
}

struct Case {
  const char* key;
  const char* value;
  const char* expected;  // in the message
};

constexpr Case kRanges[] = {
    {"num_attention_heads", "0", "1..4096"},
    {"num_attention_heads", "-4", "1..4096"},
    {"num_key_value_heads", "0", "1..4096"},
    {"num_key_value_heads", "8", "divisor of num_attention_heads = 4"},
    {"num_key_value_heads", "3", "divisor of num_attention_heads = 4"},
    {"num_hidden_layers", "0", "1..4096"},
    {"num_hidden_layers", "-1", "1..4096"},
    {"num_hidden_layers", "1000000000000000000", "1..4096"},
    {"vocab_size", "0", "1..16777216"},
    {"vocab_size", "2147483648", "1..16777216"},
    {"hidden_size", "0", "1..1048576"},
    {"intermediate_size", "0", "1..4194304"},
    {"intermediate_size", "1000000000000", "1..4194304"},
    {"head_dim", "0", "1..1024"},
    {"head_dim", "15", "even"},
    {"head_dim", "4096", "1..1024"},
    {"max_position_embeddings", "0", "1..16777216"},
    {"max_position_embeddings", "1000000000000000000", "1..16777216"},
    {"max_position_embeddings", "16777217", "1..16777216"},
    {"rms_norm_eps", "0", "at least"},
    {"rms_norm_eps", "-1e-6", "at least"},
    {"rope_theta", "0", "above 1"},
    {"rope_theta", "-1", "above 1"},
    {"rope_theta", "1e308", "at most 1000000000000000"},
    {"sliding_window", "-1", "1.."},
    {"sliding_window", "0", "1.."},
    {"max_window_layers", "-1", "0.."},
    {"rope_scaling", R"({"type": "linear", "factor": 0})", "above 0"},
    {"rope_scaling", R"({"type": "linear", "factor": -2})", "above 0"},
    {"rope_scaling", R"({"type": "linear"})", "factor"},
    {"rope_scaling", R"({"type": "dynamic", "factor": 1e300})", "at most"},
    {"rope_scaling",
     R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1})",
     "above low_freq_factor"},
    {"rope_scaling", R"({"rope_type": "llama3", "factor": 8, "high_freq_factor": 4})",
     "low_freq_factor"},
    {"rope_scaling", R"({"rope_type": "yarn", "factor": 4, "beta_fast": 1, "beta_slow": 32})",
     "beta_slow"},
    {"rope_scaling", R"({"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 0})",
     "1.."},
    {"rope_scaling", R"({"rope_type": "yarn", "factor": 4, "attention_factor": -1})", "above 0"},
    {"rope_scaling", R"({"rope_type": "linear", "factor": 2, "rope_theta": 500})", "10000"},
    {"layer_types", R"(["full_attention"])", "num_hidden_layers = 2"},
};

TEST(BadConfig, NumbersOutsideTheirRangeAreRefusedByName) {
  for (const Case& c : kRanges) {
    const Status status = failure(changed(c.key, c.value));
    EXPECT_EQ(status.code, Code::kInvalidData) << c.key << " " << c.value;
    EXPECT_NE(status.message().find(c.key), std::string::npos) << status.message();
    EXPECT_NE(status.message().find(c.expected), std::string::npos)
        << c.value << ": " << status.message();
  }
}

TEST(BadConfig, WrongTypesAreRefusedByName) {
  constexpr const char* kNumbers[] = {"vocab_size",        "hidden_size",
                                      "num_hidden_layers", "num_attention_heads",
                                      "intermediate_size", "max_position_embeddings"};
  for (const char* key : kNumbers) {
    for (const char* value : {R"("32")", "32.5", "32.0", "true", "null", "[]", "{}"}) {
      const Status status = failure(changed(key, value));
      EXPECT_EQ(status.code, Code::kInvalidData);
      EXPECT_NE(status.message().find(key), std::string::npos) << status.message();
    }
  }
}

TEST(BadConfig, OtherWrongTypes) {
  constexpr Case kCases[] = {{"rms_norm_eps", R"("1e-6")", "rms_norm_eps"},
                             {"rms_norm_eps", "null", "rms_norm_eps"},
                             {"rope_theta", "true", "rope_theta"},
                             {"attention_bias", "0", "attention_bias"},
                             {"tie_word_embeddings", R"("no")", "tie_word"},
                             {"use_sliding_window", "null", "use_sliding_window"},
                             {"rope_scaling", R"("linear")", "rope_scaling"},
                             {"rope_scaling", "[]", "rope_scaling"},
                             {"rope_scaling", R"({"type": 5})", "type"},
                             {"model_type", "5", "model_type"},
                             {"hidden_act", "null", "hidden_act"},
                             {"architectures", R"("Qwen3ForCausalLM")", "architectures"},
                             {"eos_token_id", R"("2")", "eos_token_id"},
                             {"eos_token_id", "[1, 2.5]", "eos_token_id"},
                             {"layer_types", R"([1, 2])", "layer_types"},
                             {"head_dim", R"("16")", "head_dim"},
                             {"num_key_value_heads", "2.5", "num_key_value_heads"}};
  for (const Case& c : kCases) {
    const Status status = failure(changed(c.key, c.value));
    EXPECT_EQ(status.code, Code::kInvalidData) << c.key;
    EXPECT_NE(status.message().find(c.expected), std::string::npos) << status.message();
  }
}

TEST(BadConfig, HiddenSizeThatHeadsDoNotDivideNeedsAHeadSize) {
  const Status status =
      failure(R"({"model_type": "llama", "hidden_size": 7, "num_attention_heads": 4})");
  EXPECT_NE(status.message().find("divisor of hidden_size = 7"), std::string::npos)
      << status.message();
  EXPECT_TRUE(parse_config(
      R"({"model_type": "llama", "hidden_size": 7, "num_attention_heads": 4, "head_dim": 8})"));
}

TEST(BadConfig, WindowsThatContradictEachOtherAreRefused) {
  Json document = *parse_json(kGood, "good");
  document["use_sliding_window"] = false;
  document["layer_types"] = {"full_attention", "sliding_attention"};
  const Status status = failure(document.dump());
  EXPECT_NE(status.message().find("layer_types"), std::string::npos) << status.message();
}

TEST(BadConfig, TwoDifferentScalingsAreRefused) {
  Json document = *parse_json(kGood, "good");
  document["rope_scaling"] = {{"type", "linear"}, {"factor", 2}};
  document["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 4}};
  const Status status = failure(document.dump());
  EXPECT_NE(status.message().find("rope_parameters"), std::string::npos) << status.message();
}

TEST(BadConfig, WhatIsNotBuiltYetIsNamedWithTheNearest) {
  constexpr Case kCases[] = {
      {"model_type", R"("qwen3_moe")", "nearest supported family is qwen3"},
      {"model_type", R"("mixtral")", "nearest supported family is mistral"},
      {"model_type", R"("gemma3")", "nearest supported family is llama"},
      {"model_type", R"("mamba")", "llama, mistral, qwen2, qwen3"},
      {"architectures", R"(["Qwen3ForSequenceClassification"])", "Qwen3ForCausalLM"},
      {"hidden_act", R"("gelu")", "silu"},
      {"rope_scaling", R"({"rope_type": "longrope", "factor": 2})", "yarn"},
      {"rope_parameters", R"({"full_attention": {"rope_type": "default"}})", "layer type"},
      {"partial_rotary_factor", "0.5", "partial_rotary_factor"},
      {"quantization_config", R"({"quant_method": "gptq", "bits": 4})", "gptq"},
      {"quantization_config", R"({"bits": 4})", "unknown"},
      {"layer_types", R"(["full_attention", "chunked_attention"])", "chunked_attention"},
      {"torch_dtype", R"("float8_e4m3fn")", "bfloat16"},
  };
  for (const Case& c : kCases) {
    const Status status = failure(changed(c.key, c.value));
    EXPECT_EQ(status.code, Code::kUnsupported) << status.message();
    EXPECT_NE(status.message().find("not supported yet"), std::string::npos) << status.message();
    EXPECT_NE(status.message().find(c.expected), std::string::npos) << status.message();
  }
}

TEST(BadConfig, NoModelTypeAtAll) {
  EXPECT_NE(failure("{}").message().find("model_type"), std::string::npos);
  EXPECT_EQ(failure(R"({"architectures": ["GPT2LMHeadModel"]})").code, Code::kUnsupported);
}

TEST(BadConfig, DocumentsThatAreNoConfig) {
  for (const char* text :
       {"", "[]", "5", "null", "{", R"({"model_type": "llama", "model_type": "qwen2"})",
        R"({"model_type": "llama", "rope_theta": NaN})", "\xff\xfe{\0}\0"}) {
    const Status status = failure(text);
    EXPECT_TRUE(status.code == Code::kInvalidData || status.code == Code::kResourceLimit)
        << status.message();
    EXPECT_NE(status.message().find("config.json"), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace strata::model
