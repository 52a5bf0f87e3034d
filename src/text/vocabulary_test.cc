// Five released vocabularies against the ids that their own library gives: inputs and outputs of
// the shared test data.
#include <gtest/gtest.h>

#include <sstream>

#include "text/test_support.h"
#include "text/tokenizer.h"

namespace strata::text {
namespace {

std::vector<std::string> inputs_of(const std::string& text) {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> inputs;
  size_t start = 0;
  for (size_t at = text.find(kSeparator); at != std::string::npos;
       at = text.find(kSeparator, start)) {
    inputs.push_back(text.substr(start, at - start));
    start = at + kSeparator.size();
  }
  return inputs;  // what follows the last separator is no input
}

std::vector<std::vector<int32_t>> outputs_of(const std::string& text) {
  std::vector<std::vector<int32_t>> outputs;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    outputs.emplace_back(std::istream_iterator<int32_t>(numbers), std::istream_iterator<int32_t>());
  }
  return outputs;
}

class Vocabulary : public testing::TestWithParam<std::string_view> {};

TEST_P(Vocabulary, EqualsItsOracle) {
  const std::string base = shared_path("vocab/") + std::string(GetParam()) + ".gguf";
  const auto in = read_file(base + ".inp");
  const auto out = read_file(base + ".out");
  const auto tokenizer = vocabulary(GetParam());
  REQUIRE_OR_SKIP(in && out && tokenizer, "no shared test data at " + base);
  const auto inputs = inputs_of(*in);
  const auto outputs = outputs_of(*out);
  ASSERT_EQ(inputs.size(), outputs.size());
  ASSERT_GE(inputs.size(), 46u);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto ids = tokenizer->encode(inputs[i], {.add_special_tokens = false});
    ASSERT_TRUE(ids) << ids.error().message();
    EXPECT_EQ(*ids, outputs[i]) << inputs[i];
    // The one token of deepseek-llm that is a plain "ü" decodes as a lone byte, in the library of
    // its maker too.
    if (outputs[i] == std::vector<int32_t>{37, 100014, 71, 6245}) continue;
    EXPECT_EQ(tokenizer->decode(*ids).value(), inputs[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Vocabulary, testing::ValuesIn(kVocabularies), [](const auto& test) {
  std::string name(test.param);
  std::erase(name, '-');
  return name;
});

}  // namespace
}  // namespace strata::text
