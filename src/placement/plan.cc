// The ring is sized first, then residents fill what is left; a ring that had to hold a unit which
// became resident is made smaller and the rest given to residents.
#include "placement/plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "memory/account.h"
#include "memory/spread.h"

namespace strata::placement {
namespace {

constexpr int64_t kHugePage = 2 << 20;

int64_t round_up(int64_t bytes, int64_t step) { return (bytes + step - 1) / step * step; }

int64_t resident_bytes(const PlacementRequest& request, const std::vector<bool>& resident) {
  int64_t bytes = 0;
  for (size_t i = 0; i < resident.size(); i++) bytes += resident[i] ? request.units[i].bytes : 0;
  return bytes;
}

std::vector<bool> pinned_only(const PlacementRequest& request) {
  std::vector<bool> resident;
  for (const UnitFacts& unit : request.units) {
    resident.push_back(unit.pinned || request.weights_on == WeightsOn::kRam);
  }
  return resident;
}

// What streaming the others takes beside the residents.
void size_ring(const PlacementRequest& request, int64_t ring_units, PlacementPlan& plan) {
  int64_t largest = 0, largest_read = 0;
  plan.streamed_bytes = 0;
  for (size_t i = 0; i < plan.resident.size(); i++) {
    if (plan.resident[i]) continue;
    largest = std::max(largest, request.units[i].bytes);
    largest_read = std::max(largest_read, request.units[i].read_bytes);
    plan.streamed_bytes += request.units[i].read_bytes;
  }
  plan.ring_bytes = plan.finished_bytes = 0;
  if (plan.streamed_bytes == 0) return;
  const int64_t wanted = std::max(ring_units * largest_read, kLeastRing);
  plan.ring_bytes = round_up(request.ring_bytes.value_or(wanted), kHugePage);
  plan.ring_bytes = std::max(plan.ring_bytes, round_up(largest_read, kHugePage));
  if (request.finished_apart) plan.finished_bytes = largest;
}

PlacementPlan with_residents(const PlacementRequest& request, std::vector<bool> resident) {
  PlacementPlan plan{.resident = std::move(resident), .reason = {}};
  size_ring(request, kRingUnits, plan);
  plan.resident_bytes = resident_bytes(request, plan.resident);
  return plan;
}

// Rounding of the ring may have left room for one more.
PlacementPlan top_up(const PlacementRequest& request, PlacementPlan plan) {
  for (size_t i = 0; i < plan.resident.size(); i++) {
    if (plan.resident[i]) continue;
    std::vector<bool> more = plan.resident;
    more[i] = true;
    PlacementPlan larger = with_residents(request, std::move(more));
    if (larger.bytes() <= request.budget) plan = std::move(larger);
  }
  return plan;
}

// A larger budget for residents may make the largest unit one, and the ring smaller: the best of
// the few answers that fit.
PlacementPlan fill(const PlacementRequest& request) {
  std::vector<memory::UnitSize> sizes;
  for (const UnitFacts& unit : request.units) sizes.push_back({unit.bytes, unit.pinned});
  PlacementPlan best = with_residents(request, pinned_only(request));
  for (int64_t beside : {best.ring_bytes + best.finished_bytes, int64_t{0}}) {
    for (int i = 0; i < 4; i++) {
      PlacementPlan plan =
          with_residents(request, memory::spread_residents(sizes, request.budget - beside));
      const int64_t needed = plan.ring_bytes + plan.finished_bytes;
      if (plan.bytes() <= request.budget && plan.resident_bytes > best.resident_bytes) best = plan;
      if (needed == beside) break;
      beside = needed;
    }
  }
  return top_up(request, std::move(best));
}

std::string reason_of(const PlacementRequest& request, const PlacementPlan& plan) {
  if (!plan.streams()) {
    return request.weights_on == WeightsOn::kRam ? "as asked" : "all of them fit";
  }
  const auto count = std::ranges::count(plan.resident, true);
  return fmt::format("{} of {} units ({}) stay in memory{}; {} are read in every pass", count,
                     plan.resident.size(), memory::format_bytes(plan.resident_bytes),
                     request.weights_on == WeightsOn::kDisk ? ", as asked" : ", spread evenly",
                     memory::format_bytes(plan.streamed_bytes));
}

}  // namespace

Result<WeightsOn> parse_weights_on(std::string_view name) {
  if (name == "auto") return WeightsOn::kAuto;
  if (name == "ram") return WeightsOn::kRam;
  if (name == "disk") return WeightsOn::kDisk;
  return fail(Code::kInvalidArgument, "--weights-on", std::string(name), "auto, ram or disk");
}

int64_t least_budget(const PlacementRequest& request) {
  const PlacementPlan streamed = with_residents(request, pinned_only(request));
  if (request.weights_on == WeightsOn::kDisk) return streamed.bytes();
  const PlacementPlan all = with_residents(request, std::vector<bool>(request.units.size(), true));
  return std::min(streamed.bytes(), all.bytes());
}

PlacementPlan place_greedily(const PlacementRequest& request, const CostTable& costs) {
  CHECK(request.budget >= least_budget(request), "a budget in which no plan fits");
  PlacementPlan plan = with_residents(request, std::vector<bool>(request.units.size(), true));
  if (request.weights_on == WeightsOn::kDisk) {
    plan = with_residents(request, pinned_only(request));
  } else if (plan.bytes() > request.budget) {
    plan = fill(request);
  }
  if (const auto cost = pass_cost(plan.shape(request), {}, costs)) plan.pass_s = cost->pass_s();
  plan.reason = reason_of(request, plan);
  return plan;
}

}  // namespace strata::placement
