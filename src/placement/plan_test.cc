// Plans fit their budget, keep as much resident as it allows, and say why.
#include "placement/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace strata::placement {
namespace {

constexpr int64_t kMiB = 1 << 20;

UnitFacts embedding(int64_t bytes) {
  return {.bytes = bytes,
          .read_bytes = bytes,
          .use = UnitUse::kGathered,
          .gather_bytes = 2 * kMiB,
          .row_bytes = 8 << 10};
}

// An embedding, layers of attention and MLP, a head.
std::vector<UnitFacts> model_units(int layers) {
  std::vector<UnitFacts> units = {embedding(100 * kMiB)};
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
  const PlacementRequest request{.units = units, .finished_apart = true, .budget = 450 * kMiB};
  const PlacementPlan plan = place_greedily(
      request, {.disk_bytes_per_s = 1e9, .relay_bytes_per_s = 1e13, .compute = {{1, 1e-13}}});
  EXPECT_TRUE(plan.streams());
  EXPECT_LE(plan.bytes(), 450 * kMiB);
  EXPECT_FALSE(plan.resident.front());
  int64_t largest = 0;
  for (size_t i = 1; i < units.size(); i++) {
    if (!plan.resident[i]) largest = std::max(largest, units[i].bytes);
  }
  EXPECT_EQ(plan.ring_bytes, kRingUnits * largest);
  EXPECT_EQ(plan.finished_bytes, largest);
  EXPECT_NEAR(plan.pass_s, static_cast<double>(plan.streamed_bytes) / 1e9, 1e-4);
  EXPECT_NE(plan.reason.find("spread evenly"), std::string::npos) << plan.reason;
  EXPECT_NE(plan.reason.find("are gathered, 8.19 kB a token"), std::string::npos) << plan.reason;
}

// From all in memory down: the table first, with no ring, then the rest with it.
TEST(PlacementTest, TableLeavesMemoryBeforeAnythingElse) {
  const auto units = model_units(10);
  PlacementRequest request{.units = units, .finished_apart = true};
  for (const int64_t missing : {int64_t{1}, 98 * kMiB}) {
    request.budget = total(units) - missing;
    const PlacementPlan plan = place_greedily(request, {});
    EXPECT_EQ(std::ranges::count(plan.resident, false), 1);
    EXPECT_FALSE(plan.resident.front());
    EXPECT_EQ(plan.streamed_bytes, 0);
    EXPECT_EQ(plan.ring_bytes, 0);
    EXPECT_TRUE(plan.streams()) << "its rows are read";
    EXPECT_EQ(plan.bytes(), total(units) - 98 * kMiB);
    EXPECT_EQ(plan.bytes(), *budget_but_table(request));
    EXPECT_EQ(plan.reason.find("every pass"), std::string::npos) << plan.reason;
  }
  request.budget = total(units) - 98 * kMiB - 1;
  const PlacementPlan less = place_greedily(request, {});
  EXPECT_GT(less.streamed_bytes, 0);
  EXPECT_FALSE(less.resident.front());
}

// A head that rows are looked up in, too, is streamed as any, in parts that the ring is made for.
TEST(PlacementTest, ATiedHeadIsStreamedInPartsAndItsRowsAreGathered) {
  std::vector<UnitFacts> units = model_units(4);
  units.erase(units.begin());
  units.back() = embedding(500 * kMiB);
  units.back().use = UnitUse::kLogits;
  units.back().part_bytes = units.back().part_read_bytes = 30 * kMiB;
  PlacementRequest request{.units = units, .finished_apart = true};
  EXPECT_FALSE(budget_but_table(request));
  EXPECT_EQ(least_budget(request), (3 * 32 + 32 + 2) * kMiB);
  request.budget = least_budget(request);
  const PlacementPlan plan = place_greedily(request, {});
  EXPECT_EQ(std::ranges::count(plan.resident, true), 0);
  EXPECT_EQ(plan.streamed_bytes, total(units));
  EXPECT_TRUE(plan.gathers());
}

TEST(PlacementTest, AsksOfDiskAndRamAreKept) {
  const auto units = model_units(4);
  const PlacementPlan disk =
      place_greedily({.units = units, .weights_on = WeightsOn::kDisk, .budget = 4096 * kMiB}, {});
  EXPECT_EQ(std::ranges::count(disk.resident, true), 0);
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
      units.push_back(i == 0 ? embedding(bytes) : UnitFacts{.bytes = bytes, .read_bytes = bytes});
    }
    PlacementRequest request{.units = units, .finished_apart = random() % 2 == 0};
    const int64_t least = least_budget(request);
    request.budget =
        least + static_cast<int64_t>(random() % static_cast<uint64_t>(total(units) + kMiB));
    const PlacementPlan plan = place_greedily(request, {});
    EXPECT_LE(plan.bytes(), request.budget);
    for (size_t i = 0; i < units.size(); i++) {
      EXPECT_TRUE(plan.resident[i] || i == 0 || plan.bytes() + units[i].bytes > request.budget)
          << run;
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
