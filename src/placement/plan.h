// Decides where every unit of the weights lives, before anything is loaded: in memory, or streamed
// from the disk through the ring. Pure: sizes, a budget and prices in, a plan with its reasons out.
// Knows neither files nor models.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "placement/cost.h"

namespace strata::placement {

/// `--weights-on`. kAuto: in memory as far as they fit, the rest streamed.
enum class WeightsOn : uint8_t { kAuto, kRam, kDisk };

/// "auto", "ram" or "disk"; kInvalidArgument names --weights-on.
Result<WeightsOn> parse_weights_on(std::string_view name);

struct PlacementRequest {
  std::span<const UnitFacts> units;
  WeightsOn weights_on = WeightsOn::kAuto;
  std::optional<int64_t> ring_bytes = {};  // as asked
  bool finished_apart = false;  // a streamed unit is re-laid into memory of its own after the read
  int64_t budget = 0;           // for weights, the ring and that memory
};

struct PlacementPlan {
  std::vector<bool> resident;  // of each unit
  int64_t resident_bytes = 0;
  int64_t streamed_bytes = 0;  // read in each pass
  int64_t ring_bytes = 0;
  int64_t finished_bytes = 0;  // memory for the unit that is re-laid
  int64_t gather_bytes = 0;    // memory for rows of the embedding, where that is on the disk
  int64_t row_bytes = 0;       // then read for a token's row, at most
  bool expanded = false;       // coded weights lie packed in memory: all of them are resident
  double pass_s = 0;           // of one sequence's token, without its keys; 0 = unknown
  std::string reason;

  /// Whether anything is read once the model is loaded.
  bool streams() const { return streamed_bytes > 0 || gathers(); }
  bool gathers() const { return gather_bytes > 0; }
  /// Of the request that this answers.
  PassShape shape(const PlacementRequest& request) const {
    return {request.units, resident, ring_bytes, request.finished_apart};
  }
  int64_t bytes() const { return resident_bytes + ring_bytes + finished_bytes + gather_bytes; }
};

/// A ring holds at least so many of the largest unit that is streamed as one, unless asked
/// otherwise: one computed with, one read, and one that the next pass or the wrap of the buffer
/// wants.
inline constexpr int64_t kRingUnits = 3;
/// Small models' rings: below this a request is the larger part of the ring.
inline constexpr int64_t kLeastRing = 8 << 20;

/// The least budget that place_greedily() takes.
int64_t least_budget(const PlacementRequest& request);

/// The budget with which all stays in memory but a table that only rows are looked up in; nullopt
/// where there is none, or it is asked where weights shall be.
std::optional<int64_t> budget_but_table(const PlacementRequest& request);

/// Everything resident where it fits (or is asked for). Else the embedding's table leaves memory
/// first, since a row of it costs next to nothing; else as much stays as fits beside the ring,
/// spread evenly over the depth. The budget must be at least least_budget().
PlacementPlan place_greedily(const PlacementRequest& request, const CostTable& costs);

}  // namespace strata::placement
