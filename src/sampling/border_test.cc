// The border of a share against a sort of everything: rows of every shape, rows that mislead the
// sample, sums that depend on their order.
#include "sampling/border.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

#include "kernels/fp_mode.h"
#include "kernels/ref/math.h"
#include "sampling/test_support.h"

namespace strata::sampling {
namespace {

struct Keyed {
  std::vector<float> keys;
  std::vector<float> weights;
};

// Weights as of logits, for keys that are such.
Keyed by_logit(std::vector<float> keys) {
  float largest = -INFINITY;
  for (const float key : keys) largest = key > largest ? key : largest;
  Keyed made{.keys = std::move(keys), .weights = {}};
  for (const float key : made.keys)
    made.weights.push_back(std::isnan(key) ? 0 : kernels::exp_f32(key - largest));
  return made;
}

Keyed normal_row(size_t size, float sigma, uint64_t seed, float step = 0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, sigma);
  std::vector<float> keys(size);
  for (float& key : keys)
    key = step > 0 ? std::round(normal(random) / step) * step : normal(random);
  return by_logit(std::move(keys));
}

// By the definition. NaN is nowhere in the order.
std::optional<Border> sorted_border(const Keyed& row, double share) {
  std::vector<size_t> order;
  for (size_t i = 0; i < row.keys.size(); i++) {
    if (!std::isnan(row.keys[i])) order.push_back(i);
  }
  std::ranges::sort(order, [&](size_t a, size_t b) {
    return row.keys[a] > row.keys[b] || (row.keys[a] == row.keys[b] && a < b);
  });
  double mass = 0;
  for (const size_t place : order) {
    mass += row.weights[place];
    if (mass >= share) return Border{row.keys[place], place};
  }
  return std::nullopt;
}

std::vector<float> sums_of(const Keyed& row) {
  std::vector<float> sums((row.weights.size() + 63) / 64);
  testing::passes().block_sums(row.weights.data(), static_cast<int64_t>(row.weights.size()),
                               sums.data());
  return sums;
}

void expect_borders(const Keyed& row, const char* what) {
  const kernels::FpModeScope mode;
  const std::vector<float> sums = sums_of(row);
  const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
  for (const kernels::Isa isa : kernels::available_isas()) {
    const auto table = kernels::make_cpu_kernel_table(isa);
    SamplerScratch scratch(table->logits);
    for (const double part : {1e-9, 0.01, 0.3, 0.5, 0.9, 0.97, 0.999, 1.001}) {
      const auto want = sorted_border(row, part * total);
      const auto got = border_of_share({row.keys, row.weights, sums, total}, part * total, scratch);
      ASSERT_EQ(got.has_value(), want.has_value()) << what << " " << part;
      if (!want) continue;
      EXPECT_EQ(got->place, want->place) << what << " " << part << " " << isa_name(isa);
      EXPECT_EQ(got->key, want->key) << what << " " << part;
    }
  }
}

TEST(Border, IsThatOfASortOfEverything) {
  for (const size_t size : {1u, 2u, 63u, 65u, 1000u, 4095u, 4096u, 4097u, 50'000u}) {
    for (const float sigma : {0.01f, 0.5f, 1.0f, 3.0f})
      expect_borders(normal_row(size, sigma, size), "normal");
    expect_borders(normal_row(size, 0.5f, size + 1, 0.0625f), "with ties");
    expect_borders(by_logit(std::vector<float>(size, 2.5f)), "constant");
  }
}

TEST(Border, PassesOverWhatIsNoNumber) {
  Keyed row = normal_row(20'000, 0.7f, 9);
  for (size_t i = 0; i < row.keys.size(); i++) {
    const float odd[] = {NAN, -INFINITY, -3e38f};
    if (i % 5 == 0) row.keys[i] = odd[i / 5 % 3];
  }
  expect_borders(by_logit(row.keys), "odd");
}

TEST(Border, HoldsInRowsOfHugeAndTinyRange) {
  std::mt19937_64 random(11);
  std::vector<float> tiny(50'000), huge(50'000);
  for (float& key : tiny) key = 1e-33f * static_cast<float>(random() % 1000);
  for (float& key : huge) key = random() % 7 == 0 ? 3e38f : -3e38f;
  expect_borders(by_logit(tiny), "tiny");
  expect_borders(by_logit(huge), "huge");
  std::vector<float> zeros(50'000);
  for (float& key : zeros) {
    const float near_zero[] = {0.0f, -0.0f, std::numeric_limits<float>::min(),
                               -std::numeric_limits<float>::min()};
    key = near_zero[random() % 4];
  }
  expect_borders(by_logit(zeros), "zeros");
}

// The first sample takes one key for each of 160 equal parts of the weight. Here these are the only
// ones of their kind, first above all others, then below them.
TEST(Border, IsFoundWhereTheSampleMisleads) {
  constexpr size_t kStep = 800;
  for (const float odd : {0.02f, -0.02f}) {
    std::vector<float> keys(160 * kStep);
    std::mt19937_64 random(12);
    for (size_t i = 0; i < keys.size(); i++) {
      const bool is_near_a_sample = i % kStep >= kStep / 2 - 20 && i % kStep < kStep / 2 + 20;
      keys[i] = 1e-3f * static_cast<float>(random() % 1000) / 1000 + (is_near_a_sample ? odd : 0);
    }
    expect_borders(by_logit(std::move(keys)), "misled");
  }
}

// The key is not the weight: as typical_p has it, both light and heavy ones may come first.
TEST(Border, FollowsKeysThatAreNotTheWeights) {
  std::mt19937_64 random(13);
  for (const float range : {1.0f, 8.0f, 24.0f}) {
    Keyed row = normal_row(40'000, range / 8, 14);
    for (float& key : row.keys) key = -std::abs(key + range / 8);
    for (size_t i = 0; i < row.keys.size(); i += 100) {
      row.keys[i] = -INFINITY;
      row.weights[i] = 0;
    }
    expect_borders(row, "deviations");
  }
}

// 512 and then 900 weights that vanish in it one by one, though not all together.
TEST(Border, TakesNoSumThatDependsOnItsOrder) {
  std::vector<std::pair<float, float>> drawn(512, {1024.0f, 1.0f});
  for (int i = 0; i < 900; i++) drawn.emplace_back(100.5f + static_cast<float>(i), 0x1p-45f);
  for (int i = 1; i <= 4000; i++) drawn.emplace_back(static_cast<float>(i) / 4001, 0.25f);
  std::ranges::shuffle(drawn, std::mt19937_64(16));
  Keyed row;
  for (const auto& [key, weight] : drawn) {
    row.keys.push_back(key);
    row.weights.push_back(weight);
  }
  const kernels::FpModeScope mode;
  SamplerScratch scratch(testing::passes());
  const double share = 512 + 500 + 0x1p-40;
  const auto got = border_of_share({row.keys, row.weights, sums_of(row), 1512}, share, scratch);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->key, 2000.0f / 4001);
  EXPECT_EQ(got, sorted_border(row, share));
}

// Sums that depend on their order: every instruction set finds the same border, near that of a
// sort.
TEST(Border, IsTheSameOnEveryInstructionSetWhereSumsRound) {
  const kernels::FpModeScope mode;
  for (uint64_t seed = 0; seed < 6; seed++) {
    const Keyed row = normal_row(60'000, 9, seed);
    const std::vector<float> sums = sums_of(row);
    const double total = std::accumulate(sums.begin(), sums.end(), 0.0);
    for (const double missing : {1e-4, 1e-5, 1e-6}) {
      const double share = (1 - missing) * total;
      const auto want = sorted_border(row, share);
      ASSERT_TRUE(want);
      for (const kernels::Isa isa : kernels::available_isas()) {
        const auto table = kernels::make_cpu_kernel_table(isa);
        SamplerScratch scratch(table->logits);
        const auto got = border_of_share({row.keys, row.weights, sums, total}, share, scratch);
        EXPECT_EQ(got, want) << missing << " " << isa_name(isa);
      }
    }
  }
}

}  // namespace
}  // namespace strata::sampling
