// Every golden case through the real program: its folder is synthesised, the program generates from
// it, and its logits and tokens are held against those of Transformers. Float32 within 1e-4 and the
// same 64 tokens; bf16 and f16 no further from the float32 truth than Transformers itself is in
// that precision.
#include <gtest/gtest.h>

#include <set>

#include "compare.h"
#include "strata_run.h"

namespace strata::golden {
namespace {

constexpr double kTolerance = 1e-4;

/// The row of logits at which greedy token i was chosen has it as its maximum.
void expect_consistent(const Matrix& logits, const Generated& row) {
  const auto first = static_cast<int64_t>(row.prompt_ids.size()) - 1;
  for (size_t i = 0; i < row.ids.size(); ++i) {
    const auto values = logits.row(first + static_cast<int64_t>(i));
    EXPECT_EQ(std::ranges::max_element(values) - values.begin(), row.ids[i]) << "token " << i;
  }
}

/// Runs one prompt; nothing but a fatal failure when the program or the shape of its answer is
/// wrong.
void run_case(const GoldenCase& golden, const std::vector<int>& prompt,
              const std::vector<std::string>& flags, Generated& row, Matrix& logits) {
  const TempDir work;
  write_folder(golden, work.path() / "model");
  const auto result = generate(work.path() / "model", {{golden.name, prompt}}, flags, work.path());
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  ASSERT_TRUE(result.rows.contains(golden.name));
  row = result.rows.at(golden.name);
  logits = read_npy(result.npy(golden.name));
  ASSERT_EQ(row.prompt_ids, prompt);
  ASSERT_EQ(row.finish_reason, "length");
  ASSERT_EQ(logits.rows, static_cast<int64_t>(prompt.size() + row.ids.size()) - 1);
  ASSERT_EQ(logits.columns, golden.expected.columns);
  ASSERT_LT(golden.rows.back(), logits.rows);
  expect_consistent(logits, row);
}

std::vector<std::string> with(std::vector<std::string> flags, std::vector<std::string> more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

/// Prompt and Transformers' own tokens, so that logits of one history are compared whatever we
/// would have chosen.
std::vector<int> forced_prompt(const GoldenCase& golden) {
  auto ids = golden.prompt_ids;
  ids.insert(ids.end(), golden.greedy_ids.begin(), golden.greedy_ids.end() - 1);
  return ids;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, SameLogitsAsTransformers) {
  REQUIRE_STRATA();
  const auto golden = load_case(GetParam());
  Generated row;
  Matrix logits;
  if (golden.weights == "f32") {
    const auto flags = with(flags_of(golden), {"--max-tokens", "64", "--temperature", "0"});
    ASSERT_NO_FATAL_FAILURE(run_case(golden, golden.prompt_ids, flags, row, logits));
    EXPECT_EQ(row.ids, golden.greedy_ids);
    EXPECT_LE(max_difference(golden.expected, logits, golden.rows), kTolerance);
  } else {
    const auto flags = with(flags_of(golden), {"--max-tokens", "1", "--temperature", "0"});
    ASSERT_NO_FATAL_FAILURE(run_case(golden, forced_prompt(golden), flags, row, logits));
    EXPECT_LE(mean_kl(golden.expected, logits, golden.rows), golden.transformers_kl.value());
  }
}

/// 16-bit weights widened to float32 are the truth that the 16-bit runs are measured against.
TEST_P(Golden, WidenedWeightsGiveTheTruth) {
  REQUIRE_STRATA();
  const auto golden = load_case(GetParam());
  if (golden.weights == "f32") {
    return;
  }
  Generated row;
  Matrix logits;
  const std::vector<std::string> flags = {"--dtype", "f32",           "--max-tokens",
                                          "64",      "--temperature", "0"};
  ASSERT_NO_FATAL_FAILURE(run_case(golden, golden.prompt_ids, flags, row, logits));
  EXPECT_EQ(row.ids, golden.greedy_ids);
  EXPECT_LE(max_difference(golden.expected, logits, golden.rows), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(case_names()),
                         [](const auto& one) { return one.param; });

TEST(GoldenSet, CoversEveryFamilyAndStaysSmall) {
  std::map<std::string, int> per_family;
  std::uintmax_t bytes = 0;
  for (const auto& name : case_names()) {
    ++per_family[load_case(name).family];
    for (const auto& entry : std::filesystem::directory_iterator(golden_dir() / "cases" / name)) {
      bytes += entry.file_size();
    }
  }
  for (const auto* family : {"llama", "mistral", "qwen2", "qwen3"}) {
    EXPECT_GE(per_family[family], 4) << family;
  }
  EXPECT_LT(bytes, 3'000'000U);
}

TEST(GoldenSet, GreedyTokensAreDiverse) {
  for (const auto& name : case_names()) {
    const auto golden = load_case(name);
    EXPECT_EQ(golden.greedy_ids.size(), 64U) << name;
    EXPECT_GE(std::set(golden.greedy_ids.begin(), golden.greedy_ids.end()).size(), 16U) << name;
  }
}

}  // namespace
}  // namespace strata::golden
