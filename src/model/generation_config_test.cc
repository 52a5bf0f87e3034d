// generation_config.json: which defaults are taken, which are refused, and what is only warned
// about.
#include <gtest/gtest.h>

#include "model/config.h"

namespace strata::model {
namespace {

ModelConfig some_config() {
  ModelConfig config;
  config.spec.vocab = 100;
  config.spec.max_position = 2048;
  config.eos_ids = {5};
  config.bos_id = 1;
  return config;
}

GenerationDefaults parse(std::string_view text) {
  auto defaults = parse_generation_config(text, some_config());
  EXPECT_TRUE(defaults.has_value()) << (defaults ? "" : defaults.error().message());
  return defaults ? std::move(*defaults) : GenerationDefaults{};
}

TEST(GenerationConfig, WithoutAFileIdsComeFromTheConfig) {
  const auto defaults = parse_generation_config(std::nullopt, some_config());
  ASSERT_TRUE(defaults.has_value());
  EXPECT_EQ(defaults->eos_ids, (std::vector<int64_t>{5}));
  EXPECT_EQ(defaults->bos_id, 1);
  EXPECT_FALSE(defaults->do_sample.has_value());
}

TEST(GenerationConfig, ReadsIdsAndSampling) {
  const GenerationDefaults defaults =
      parse(R"({"eos_token_id": [7, 8], "bos_token_id": 2, "pad_token_id": 0,
      "do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0.05, "transformers_version": "5.0"})");
  EXPECT_EQ(defaults.eos_ids, (std::vector<int64_t>{7, 8}));
  EXPECT_EQ(defaults.bos_id, 2);
  EXPECT_EQ(defaults.pad_id, 0);
  EXPECT_EQ(defaults.do_sample, true);
  EXPECT_EQ(defaults.temperature, 0.6);
  EXPECT_EQ(defaults.top_k, 20);
  EXPECT_EQ(defaults.top_p, 0.95);
  EXPECT_EQ(defaults.min_p, 0.05);
  EXPECT_TRUE(defaults.warnings.empty());
}

TEST(GenerationConfig, OneStopIdOrNullWork) {
  EXPECT_EQ(parse(R"({"eos_token_id": 9})").eos_ids, (std::vector<int64_t>{9}));
  EXPECT_EQ(parse(R"({"eos_token_id": null, "temperature": null})").eos_ids,
            (std::vector<int64_t>{5}));
}

TEST(GenerationConfig, IdsOutsideTheVocabularyAreDroppedWithAWarning) {
  const GenerationDefaults defaults =
      parse(R"({"eos_token_id": [7, 100, -1], "pad_token_id": 100})");
  EXPECT_EQ(defaults.eos_ids, (std::vector<int64_t>{7}));
  EXPECT_FALSE(defaults.pad_id.has_value());
  EXPECT_EQ(defaults.warnings.size(), 3u);
}

TEST(GenerationConfig, WhatIsNotObeyedIsSaid) {
  const GenerationDefaults defaults =
      parse(R"({"repetition_penalty": 1.1, "num_beams": 1, "typical_p": 1.0,
      "max_length": 1000000000000000000, "max_new_tokens": 20})");
  ASSERT_EQ(defaults.warnings.size(), 2u);
  EXPECT_NE(defaults.warnings[0].find("max_length"), std::string::npos);
  EXPECT_NE(defaults.warnings[1].find("repetition_penalty"), std::string::npos);
}

TEST(GenerationConfig, BadValuesAreRefusedByName) {
  struct Case {
    const char* text;
    const char* key;
  };
  constexpr Case kCases[] = {{R"({"temperature": -1})", "temperature"},
                             {R"({"temperature": "0.6"})", "temperature"},
                             {R"({"temperature": 1e9})", "temperature"},
                             {R"({"top_k": -1})", "top_k"},
                             {R"({"top_k": 2.5})", "top_k"},
                             {R"({"top_p": 1.5})", "top_p"},
                             {R"({"top_p": -0.1})", "top_p"},
                             {R"({"min_p": 2})", "min_p"},
                             {R"({"do_sample": 1})", "do_sample"},
                             {R"({"eos_token_id": "</s>"})", "eos_token_id"},
                             {R"({"eos_token_id": [[1]]})", "eos_token_id"},
                             {R"({"max_length": 0})", "max_length"},
                             {R"({"max_length": "20"})", "max_length"},
                             {"[]", "generation_config.json"},
                             {"{", "generation_config.json"}};
  for (const Case& c : kCases) {
    const auto defaults = parse_generation_config(c.text, some_config());
    ASSERT_FALSE(defaults.has_value()) << c.text;
    EXPECT_EQ(defaults.error().code, Code::kInvalidData);
    EXPECT_NE(defaults.error().message().find("generation_config.json"), std::string::npos);
    EXPECT_NE(defaults.error().message().find(c.key), std::string::npos)
        << defaults.error().message();
  }
}

}  // namespace
}  // namespace strata::model
