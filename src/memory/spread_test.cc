// The residents fit, nothing that fits is left out, and they lie evenly over the depth.
#include "memory/spread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace strata::memory {
namespace {

int64_t bytes_of(const std::vector<int64_t>& units, const std::vector<bool>& resident) {
  int64_t bytes = 0;
  for (size_t i = 0; i < units.size(); i++) bytes += resident[i] ? units[i] : 0;
  return bytes;
}

TEST(SpreadTest, FitsTheBudgetAndLeavesNothingOutThatFits) {
  std::mt19937 random(1);
  for (int run = 0; run < 500; run++) {
    std::vector<int64_t> units(1 + random() % 60);
    int64_t total = 0;
    for (int64_t& unit : units) total += unit = 1 + static_cast<int64_t>(random() % 1000);
    const int64_t budget = static_cast<int64_t>(random() % static_cast<uint64_t>(total + 100));
    const auto resident = spread_residents(units, budget);
    const int64_t bytes = bytes_of(units, resident);
    EXPECT_LE(bytes, budget);
    for (size_t i = 0; i < units.size(); i++) {
      EXPECT_TRUE(resident[i] || units[i] + bytes > budget);
    }
  }
}

// Layers of a small attention and a large MLP, as models have them.
TEST(SpreadTest, ResidentsLieEvenlyOverTheDepth) {
  std::vector<int64_t> units;
  for (int layer = 0; layer < 64; layer++) {
    units.push_back(84);
    units.push_back(352);
  }
  const int64_t total = 64 * 436;
  for (const int64_t percent : {10, 25, 50, 75, 90}) {
    const auto resident = spread_residents(units, total * percent / 100);
    EXPECT_GE(bytes_of(units, resident), total * percent / 100 - 84);
    int64_t before = 0, most = 0;  // resident bytes ahead of their even share
    for (size_t i = 0; i < units.size(); i++) {
      before += 100 * (resident[i] ? units[i] : 0) - percent * units[i];
      most = std::max(most, std::abs(before));
    }
    EXPECT_LE(most, 100 * 2 * 436) << percent;
  }
}

TEST(SpreadTest, PartOfALayerStaysWhereTheWholeDoesNotFit) {
  const std::vector<int64_t> units = {84, 352};
  EXPECT_EQ(spread_residents(units, 100), (std::vector<bool>{true, false}));
  EXPECT_EQ(spread_residents(units, 0), (std::vector<bool>{false, false}));
  EXPECT_EQ(spread_residents(units, 436), (std::vector<bool>{true, true}));
}

}  // namespace
}  // namespace strata::memory
