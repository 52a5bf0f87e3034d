// The closed form against cases that can be worked out by hand, and against a pass played out unit
// by unit.
#include "placement/cost.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

namespace strata::placement {
namespace {

constexpr int64_t kMb = 1'000'000;

CostTable prices() {
  return {.disk_bytes_per_s = 1e9,
          .ram_bytes_per_s = 1e10,
          .relay_bytes_per_s = 4e9,
          .compute = {{1, 1e-10}, {5, 5e-10}}};
}

std::vector<UnitFacts> equal_units(size_t count, int64_t bytes) {
  return std::vector<UnitFacts>(count, {.bytes = bytes, .read_bytes = bytes});
}

PassCost cost_of(const std::vector<UnitFacts>& units, const std::vector<bool>& resident,
                 int64_t ring, const PassLoad& load = {}, bool relaid = false) {
  const auto cost = pass_cost({units, resident, ring, relaid}, load, prices());
  EXPECT_TRUE(cost);
  return cost.value_or(PassCost{});
}

TEST(CostTable, PricesLieOnLinesBetweenMeasuredRows) {
  const CostTable costs = prices();
  EXPECT_DOUBLE_EQ(costs.s_per_byte(1), 1e-10);
  EXPECT_DOUBLE_EQ(costs.s_per_byte(3), 3e-10);
  EXPECT_DOUBLE_EQ(costs.s_per_byte(9), 9e-10);
  EXPECT_DOUBLE_EQ(CostTable{}.s_per_byte(3), 0);
  CostTable three = costs;
  three.compute.push_back({10, 5e-10});
  EXPECT_DOUBLE_EQ(three.s_per_byte(7), 5e-10);
  EXPECT_DOUBLE_EQ(three.s_per_byte(100), 5e-10);
}

TEST(CostTable, APassTakesTheLongerOfReadingAndComputing) {
  const auto units = equal_units(10, 100 * kMb);
  const std::vector<bool> streamed(10, false), resident(10, true);
  const PassCost disk = cost_of(units, streamed, 300 * kMb);
  EXPECT_NEAR(disk.read_s, 1, 1e-9);
  EXPECT_NEAR(disk.compute_s, 0.1, 1e-9);
  EXPECT_NEAR(disk.pass_s(), 1, 1e-9);
  EXPECT_EQ(disk.bottleneck(), Bottleneck::kDisk);
  const PassCost compute = cost_of(units, streamed, 300 * kMb, {.rows = 25, .logit_rows = 25});
  EXPECT_NEAR(compute.pass_s(), 2.5, 1e-9);
  EXPECT_EQ(compute.bottleneck(), Bottleneck::kCompute);
  EXPECT_NEAR(cost_of(units, resident, 0).pass_s(), 0.1, 1e-9);
}

TEST(CostTable, KeysAndValuesAreRead) {
  const auto units = equal_units(1, 100 * kMb);
  EXPECT_NEAR(cost_of(units, {true}, 0, {.kv_bytes = 1000 * kMb}).compute_s, 0.01 + 0.1, 1e-9);
}

TEST(CostTable, HeadIsForLogitsAndAnEmbeddingForNobody) {
  std::vector<UnitFacts> units = equal_units(3, 100 * kMb);
  units.front().use = UnitUse::kGathered;
  units.back().use = UnitUse::kLogits;
  const std::vector<bool> resident = {true, false, false};
  const PassCost with = cost_of(units, resident, 300 * kMb, {.rows = 5, .logit_rows = 1});
  EXPECT_NEAR(with.compute_s, 0.05 + 0.01, 1e-9);
  EXPECT_NEAR(with.read_s, 0.2, 1e-9);
  const PassCost without = cost_of(units, resident, 300 * kMb, {.rows = 5, .logit_rows = 0});
  EXPECT_NEAR(without.compute_s, 0.05, 1e-9);
  EXPECT_NEAR(without.read_s, 0.1, 1e-9) << "a head that nobody wants is not read";
}

TEST(CostTable, RowsOfATableAreReadEachOfThem) {
  std::vector<UnitFacts> units = equal_units(2, 100 * kMb);
  units.front().use = UnitUse::kGathered;
  units.front().row_bytes = 8192;
  const auto read_s = [&](int64_t rows, bool resident = false) {
    return cost_of(units, {resident, true}, 0, {.rows = rows, .logit_rows = 1}).read_s;
  };
  EXPECT_NEAR(read_s(1), 65536 / 1e9, 1e-12) << "a small read takes longer than its bytes";
  EXPECT_NEAR(read_s(100), 100 * 65536 / 1e9, 1e-12);
  EXPECT_NEAR(read_s(100'000), 0.1, 1e-9) << "not more than the whole";
  EXPECT_EQ(read_s(1, true), 0);
  units.front().row_bytes = 128 << 10;
  EXPECT_NEAR(read_s(2), 2 * 131072 / 1e9, 1e-12);
}

// A head of 400 MB as four units of 100 MB in its place.
TEST(CostTable, AUnitInPartsCostsWhatSoManyUnitsDo) {
  const auto apart = equal_units(14, 100 * kMb);
  std::vector<UnitFacts> units = equal_units(11, 100 * kMb);
  units.back() = {.bytes = 400 * kMb,
                  .read_bytes = 400 * kMb,
                  .part_bytes = 100 * kMb,
                  .part_read_bytes = 100 * kMb};
  for (const bool relaid : {false, true}) {
    for (const int64_t ring : {100 * kMb, 300 * kMb}) {
      const PassCost parts = cost_of(units, std::vector<bool>(11, false), ring, {}, relaid);
      const PassCost whole = cost_of(apart, std::vector<bool>(14, false), ring, {}, relaid);
      EXPECT_NEAR(parts.read_s, whole.read_s, 1e-9);
      EXPECT_NEAR(parts.idle_s, whole.idle_s, 1e-9);
      EXPECT_NEAR(parts.busy_s(), whole.busy_s(), 1e-9);
    }
  }
}

TEST(CostTable, ARingOfOneUnitReadsNothingAhead) {
  const auto units = equal_units(10, 100 * kMb);
  const std::vector<bool> streamed(10, false);
  const PassCost pass = cost_of(units, streamed, 100 * kMb);
  EXPECT_NEAR(pass.idle_s, 0.1, 1e-9);
  EXPECT_NEAR(pass.pass_s(), 1.1, 1e-9);
  // Re-laid, its place is free again before the computing: only the re-laying is waited for.
  const PassCost relaid = cost_of(units, streamed, 100 * kMb, {}, true);
  EXPECT_NEAR(relaid.relay_s, 0.25, 1e-9);
  EXPECT_NEAR(relaid.idle_s, 0.25, 1e-9);
}

TEST(CostTable, ALongStretchOfResidentsFillsTheRing) {
  // One streamed unit of 100 MB, then residents that take 1 s.
  std::vector<UnitFacts> units = equal_units(2, 100 * kMb);
  units.back().bytes = 10'000 * kMb;
  units.front().read_bytes = 2000 * kMb;
  const PassCost pass = cost_of(units, {false, true}, 2500 * kMb);
  EXPECT_NEAR(pass.read_s, 2, 1e-9);
  EXPECT_NEAR(pass.idle_s, 0, 1e-9);
  EXPECT_NEAR(pass.pass_s(), 2, 1e-9);
}

TEST(CostTable, WithoutAPriceNothingIsPromised) {
  const auto units = equal_units(2, kMb);
  const std::vector<bool> streamed = {false, false}, resident = {true, true};
  const auto known = [&](const std::vector<bool>& plan, bool relaid, const CostTable& costs,
                         int64_t kv_bytes = 0) {
    return pass_cost({units, plan, 4 * kMb, relaid}, {.kv_bytes = kv_bytes}, costs).has_value();
  };
  CostTable costs = prices();
  costs.disk_bytes_per_s = 0;
  EXPECT_FALSE(known(streamed, false, costs));
  EXPECT_TRUE(known(resident, false, costs));
  costs = prices();
  costs.relay_bytes_per_s = 0;
  EXPECT_FALSE(known(streamed, true, costs));
  EXPECT_TRUE(known(streamed, false, costs));
  costs = prices();
  costs.ram_bytes_per_s = 0;
  EXPECT_FALSE(known(resident, false, costs, 1));
  EXPECT_FALSE(known(resident, false, {}));
}

// A reader that runs ahead as far as the ring has room, and a consumer, in turn; the second pass.
double played_out(const std::vector<UnitFacts>& units, const std::vector<bool>& resident,
                  double ring) {
  const CostTable costs = prices();
  std::deque<std::pair<double, double>> held;  // bytes, when its place is given back
  double disk = 0, now = 0, used = 0, begin = 0;
  for (int pass = 0; pass < 12; pass++) {
    if (pass == 11) begin = now;
    for (size_t i = 0; i < units.size(); i++) {
      const double computing = static_cast<double>(units[i].bytes) * costs.s_per_byte(1);
      if (!resident[i]) {
        const auto bytes = static_cast<double>(units[i].read_bytes);
        for (; used + bytes > ring; held.pop_front()) {
          used -= held.front().first;
          disk = std::max(disk, held.front().second);
        }
        disk += bytes / costs.disk_bytes_per_s;
        used += bytes;
        now = std::max(now, disk);
        held.emplace_back(bytes, now + computing);
      }
      now += computing;
    }
  }
  return now - begin;
}

TEST(CostTable, ClosedFormIsNearAPassThatIsPlayedOut) {
  std::mt19937 random(7);
  for (int run = 0; run < 300; run++) {
    std::vector<UnitFacts> units;
    std::vector<bool> resident;
    int64_t largest = 0;
    const int share = static_cast<int>(random() % 10);
    for (int i = 0; i < 60; i++) {
      const int64_t bytes = (i % 2 == 0 ? 10 : 40) * kMb;
      // Between a tenth of the disk's time and more than it.
      units.push_back(
          {.bytes = bytes * static_cast<int64_t>(1 + random() % 12), .read_bytes = bytes});
      resident.push_back(static_cast<int>(i * 7 % 10) < share);
      if (!resident.back()) largest = std::max(largest, bytes);
    }
    const auto ring = static_cast<double>(3 * largest);
    const double played = played_out(units, resident, ring);
    const double said = cost_of(units, resident, 3 * largest).pass_s();
    EXPECT_NEAR(said, played, 0.12 * played) << run << " share " << share;
  }
}

}  // namespace
}  // namespace strata::placement
