// Plans fit their budget, keep as much resident as it allows, and say why.
#include "placement/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace strata::placement {
namespace {

constexpr int64_t kMiB = 1 << 20;

// An embedding, layers of attention and MLP, a head.
std::vector<UnitFacts> model_units(int layers) {
  std::vector<UnitFacts> units = {{100 * kMiB, 100 * kMiB, true}};
  for (int i = 0; i < layers; i++) {
    units.push_back({8 * kMiB, 8 * kMiB});
    units.push_back({32 * kMiB, 32 * kMiB});
  }
  units.push_back({100 * kMiB, 100 * kMiB});
  return units;
}

int64_t total(const std::vector<UnitFacts>& units) {
  int64_t bytes = 0;
  for (const UnitFacts& unit : units) bytes += unit.bytes;
  return bytes;
}

TEST(PlacementTest, EverythingThatFitsStaysInMemory) {
  const auto units = model_units(10);
  const PlacementRequest request{.units = units, .budget = total(units)};
  const PlacementPlan plan = place_greedily(request, {});
  EXPECT_FALSE(plan.streams());
  EXPECT_EQ(plan.bytes(), total(units));
  EXPECT_EQ(plan.reason, "all of them fit");
}

TEST(PlacementTest, RestIsStreamedThroughThreeOfTheLargestUnit) {
  const auto units = model_units(10);
  const PlacementRequest request{.units = units, .finished_apart = true, .budget = 550 * kMiB};
  const PlacementPlan plan = place_greedily(
      request, {.disk_bytes_per_s = 1e9, .relay_bytes_per_s = 1e13, .compute = {{1, 1e-13}}});
  EXPECT_TRUE(plan.streams());
  EXPECT_LE(plan.bytes(), 550 * kMiB);
  EXPECT_TRUE(plan.resident.front());
  int64_t largest = 0;
  for (size_t i = 0; i < units.size(); i++) {
    if (!plan.resident[i]) largest = std::max(largest, units[i].bytes);
  }
  EXPECT_EQ(plan.ring_bytes, kRingUnits * largest);
  EXPECT_EQ(plan.finished_bytes, largest);
  EXPECT_NEAR(plan.pass_s, static_cast<double>(plan.streamed_bytes) / 1e9, 1e-6);
  EXPECT_NE(plan.reason.find("spread evenly"), std::string::npos) << plan.reason;
}

TEST(PlacementTest, AsksOfDiskAndRamAreKept) {
  const auto units = model_units(4);
  const PlacementPlan disk =
      place_greedily({.units = units, .weights_on = WeightsOn::kDisk, .budget = 4096 * kMiB}, {});
  EXPECT_EQ(std::ranges::count(disk.resident, true), 1);
  EXPECT_EQ(disk.streamed_bytes, total(units) - 100 * kMiB);
  const PlacementRequest ram{.units = units, .weights_on = WeightsOn::kRam, .budget = total(units)};
  EXPECT_FALSE(place_greedily(ram, {}).streams());
  EXPECT_EQ(least_budget(ram), total(units));
}

TEST(PlacementTest, RingIsAsAskedButHoldsAUnit) {
  const auto units = model_units(4);
  PlacementRequest request{
      .units = units, .weights_on = WeightsOn::kDisk, .ring_bytes = 200 * kMiB, .budget = 1 << 30};
  EXPECT_EQ(place_greedily(request, {}).ring_bytes, 200 * kMiB);
  request.ring_bytes = kMiB;
  EXPECT_EQ(place_greedily(request, {}).ring_bytes, 100 * kMiB);
}

TEST(PlacementTest, EveryBudgetFromTheLeastOnIsKeptAndUsed) {
  std::mt19937 random(1);
  for (int run = 0; run < 300; run++) {
    std::vector<UnitFacts> units;
    for (size_t i = 0; i < 2 + random() % 40; i++) {
      const auto bytes = static_cast<int64_t>(1 + random() % 60) * kMiB;
      units.push_back({bytes, bytes, i == 0});
    }
    PlacementRequest request{.units = units, .finished_apart = random() % 2 == 0};
    const int64_t least = least_budget(request);
    request.budget =
        least + static_cast<int64_t>(random() % static_cast<uint64_t>(total(units) + kMiB));
    const PlacementPlan plan = place_greedily(request, {});
    EXPECT_LE(plan.bytes(), request.budget);
    EXPECT_TRUE(plan.resident[0]);
    for (size_t i = 0; i < units.size(); i++) {
      EXPECT_TRUE(plan.resident[i] || plan.bytes() + units[i].bytes > request.budget) << run;
    }
  }
}

TEST(PlacementTest, WordsAreParsedAndOthersRefused) {
  EXPECT_EQ(*parse_weights_on("disk"), WeightsOn::kDisk);
  EXPECT_EQ(*parse_weights_on("ram"), WeightsOn::kRam);
  EXPECT_EQ(*parse_weights_on("auto"), WeightsOn::kAuto);
  EXPECT_EQ(parse_weights_on("gpu").error().what, "--weights-on");
}

}  // namespace
}  // namespace strata::placement
