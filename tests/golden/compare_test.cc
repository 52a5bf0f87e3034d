// The golden tests' own measures and readers must be able to fail: a perturbed value, a wrong row
// and a broken file are seen.
#include "compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "strata_run.h"

namespace strata::golden {
namespace {

/// A full [positions, vocab] matrix that has the committed rows where the case says, zeros
/// elsewhere.
Matrix actual_of(const GoldenCase& golden) {
  const int64_t vocab = golden.expected.columns;
  Matrix actual{golden.rows.back() + 1, vocab,
                std::vector<float>((golden.rows.back() + 1) * vocab)};
  for (size_t i = 0; i < golden.rows.size(); ++i) {
    const auto row = golden.expected.row(static_cast<int64_t>(i));
    std::ranges::copy(row, actual.values.begin() + golden.rows[i] * vocab);
  }
  return actual;
}

TEST(Compare, EqualLogitsDifferByNothing) {
  const auto golden = load_case("llama2_mha");
  const auto actual = actual_of(golden);
  EXPECT_EQ(max_difference(golden.expected, actual, golden.rows), 0.0);
  EXPECT_NEAR(mean_kl(golden.expected, actual, golden.rows), 0.0, 1e-12);
}

TEST(Compare, SeesOnePerturbedValue) {
  const auto golden = load_case("llama2_mha");
  auto actual = actual_of(golden);
  actual.values[golden.rows.back() * actual.columns + 7] += 2e-4F;
  EXPECT_NEAR(max_difference(golden.expected, actual, golden.rows), 2e-4, 1e-6);
}

TEST(Compare, SeesRowsThatMovedByOne) {
  const auto golden = load_case("qwen3_bf16");
  auto actual = actual_of(golden);
  std::ranges::rotate(actual.values, actual.values.begin() + actual.columns);
  EXPECT_GT(max_difference(golden.expected, actual, golden.rows), 0.1);
  EXPECT_GT(mean_kl(golden.expected, actual, golden.rows), 10 * golden.transformers_kl.value());
}

TEST(Compare, NoNumberIsInfinitelyFar) {
  const auto golden = load_case("llama2_mha");
  auto actual = actual_of(golden);
  actual.values[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isinf(max_difference(golden.expected, actual, golden.rows)));
  EXPECT_TRUE(std::isinf(mean_kl(golden.expected, actual, golden.rows)));
}

/// KL((0.5, 0.5) || (0.75, 0.25)) = log(2 / sqrt(3)).
TEST(Compare, KnownDivergence) {
  const Matrix expected{1, 2, {0.0F, 0.0F}};
  const Matrix actual{1, 2, {std::log(3.0F), 0.0F}};
  EXPECT_NEAR(mean_kl(expected, actual, {0}), std::log(2 / std::sqrt(3.0)), 1e-7);
}

TEST(Npy, RefusesWhatIsNoMatrixOfFloats) {
  const TempDir work;
  const auto path = work.path() / "x.npy";
  std::string content = read_file(golden_dir() / "cases" / "llama2_mha" / "expected.npy");
  const auto columns = read_npy(golden_dir() / "cases" / "llama2_mha" / "expected.npy").columns;
  EXPECT_EQ(columns, 259);
  write_file(path, content.substr(0, content.size() - 4));
  EXPECT_ANY_THROW(read_npy(path));
  content.replace(content.find("<f4"), 3, "<f8");
  write_file(path, content);
  EXPECT_ANY_THROW(read_npy(path));
}

}  // namespace
}  // namespace strata::golden
