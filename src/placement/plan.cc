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

std::vector<bool> all_of(const PlacementRequest& request, bool resident) {
  return std::vector<bool>(request.units.size(), resident);
}

std::vector<bool> all_but_table(const PlacementRequest& request) {
  std::vector<bool> resident;
  for (const UnitFacts& unit : request.units) resident.push_back(unit.use != UnitUse::kGathered);
  return resident;
}

// What streaming the others takes beside the residents.
void size_ring(const PlacementRequest& request, int64_t ring_units, PlacementPlan& plan) {
  int64_t largest = 0, largest_read = 0;
  plan.streamed_bytes = plan.gather_bytes = plan.row_bytes = 0;
  for (size_t i = 0; i < plan.resident.size(); i++) {
    const UnitFacts& unit = request.units[i];
    if (plan.resident[i]) continue;
    plan.gather_bytes += unit.gather_bytes;
    plan.row_bytes += unit.row_bytes;
    if (unit.use == UnitUse::kGathered) continue;
    largest = std::max(largest, unit.most_bytes());
    largest_read = std::max(largest_read, unit.most_read_bytes());
    plan.streamed_bytes += unit.read_bytes;
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

// One more unit where that fits; false where none does.
bool add_one(const PlacementRequest& request, bool table, PlacementPlan& plan) {
  for (size_t i = 0; i < plan.resident.size(); i++) {
    if (plan.resident[i] || table != (request.units[i].use == UnitUse::kGathered)) continue;
    std::vector<bool> more = plan.resident;
    more[i] = true;
    PlacementPlan larger = with_residents(request, std::move(more));
    if (larger.bytes() > request.budget) continue;
    plan = std::move(larger);
    return true;
  }
  return false;
}

// Rounding of the ring may have left room for more, and so may a unit that it had to hold. A table
// comes last: its rows cost less than any other unit.
PlacementPlan top_up(const PlacementRequest& request, PlacementPlan plan) {
  while (add_one(request, false, plan)) {
  }
  while (add_one(request, true, plan)) {
  }
  return plan;
}

// As many as fit into `bytes`, the table of an embedding left out.
std::vector<bool> spread(const PlacementRequest& request, int64_t bytes) {
  std::vector<int64_t> sizes;
  for (const UnitFacts& unit : request.units) {
    sizes.push_back(unit.use == UnitUse::kGathered ? 0 : unit.bytes);
  }
  std::vector<bool> resident = memory::spread_residents(sizes, bytes);
  for (size_t i = 0; i < resident.size(); i++) {
    if (request.units[i].use == UnitUse::kGathered) resident[i] = false;
  }
  return resident;
}

// A larger budget for residents may make the largest unit one, and the ring smaller: the best of
// the few answers that fit.
PlacementPlan fill(const PlacementRequest& request) {
  PlacementPlan best = with_residents(request, all_of(request, false));
  for (int64_t beside : {best.bytes(), int64_t{0}}) {
    for (int i = 0; i < 4; i++) {
      PlacementPlan plan = with_residents(request, spread(request, request.budget - beside));
      const int64_t needed = plan.bytes() - plan.resident_bytes;
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
  std::string text = fmt::format("{} of {} units ({}) stay in memory{}", count,
                                 plan.resident.size(), memory::format_bytes(plan.resident_bytes),
                                 request.weights_on == WeightsOn::kDisk ? ", as asked"
                                 : plan.streamed_bytes > 0              ? ", spread evenly"
                                                                        : "");
  if (plan.streamed_bytes > 0) {
    text += fmt::format("; {} are read in every pass", memory::format_bytes(plan.streamed_bytes));
  }
  if (plan.gathers()) {
    text += fmt::format("; rows of the embedding are gathered, {} a token",
                        memory::format_bytes(plan.row_bytes));
  }
  return text;
}

}  // namespace

Result<WeightsOn> parse_weights_on(std::string_view name) {
  if (name == "auto") return WeightsOn::kAuto;
  if (name == "ram") return WeightsOn::kRam;
  if (name == "disk") return WeightsOn::kDisk;
  return fail(Code::kInvalidArgument, "--weights-on", std::string(name), "auto, ram or disk");
}

std::optional<int64_t> budget_but_table(const PlacementRequest& request) {
  const std::vector<bool> resident = all_but_table(request);
  if (request.weights_on != WeightsOn::kAuto || std::ranges::count(resident, false) == 0) return {};
  return with_residents(request, resident).bytes();
}

int64_t least_budget(const PlacementRequest& request) {
  const int64_t streamed = with_residents(request, all_of(request, false)).bytes();
  if (request.weights_on == WeightsOn::kDisk) return streamed;
  const int64_t all = with_residents(request, all_of(request, true)).bytes();
  if (request.weights_on == WeightsOn::kRam) return all;
  return std::min({streamed, all, budget_but_table(request).value_or(all)});
}

PlacementPlan place_greedily(const PlacementRequest& request, const CostTable& costs) {
  CHECK(request.budget >= least_budget(request), "a budget in which no plan fits");
  PlacementPlan plan = with_residents(request, all_of(request, true));
  if (request.weights_on == WeightsOn::kDisk) {
    plan = with_residents(request, all_of(request, false));
  } else if (plan.bytes() > request.budget) {
    plan = with_residents(request, all_but_table(request));
    if (plan.bytes() > request.budget) plan = fill(request);
  }
  if (const auto cost = pass_cost(plan.shape(request), {}, costs)) plan.pass_s = cost->pass_s();
  plan.reason = reason_of(request, plan);
  return plan;
}

}  // namespace strata::placement
