// What a model's weights ask of memory, for the plan of where they live: units as facts, and the
// flags that bear on them. Pure; resolve.cc gives it the budget.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "engine/config.h"
#include "model/weights.h"
#include "placement/plan.h"

namespace strata::engine {

/// A plan's units, in the order of the pass.
std::vector<placement::UnitFacts> unit_facts(const model::WeightPlan& plan);

/// Whether streamed units are re-laid after the read: those of a folder.
bool is_relaid(const model::WeightPlan& plan);

/// Bytes that the KV pool shall have: where weights are in memory, and where a pass reads them.
struct PoolShares {
  int64_t in_ram = 0;
  int64_t on_disk = 0;
};

class WeightDemand {
 public:
  WeightDemand(const EngineConfig& config, const model::WeightPlan& plan);

  /// Less does not do: everything, or the ring and what rows of the embedding are gathered through.
  int64_t least() const;
  /// What of `room` weights get beside the pool, where not all of them fit. A pass in which rows of
  /// the embedding are gathered, and no more, is as fast as in memory.
  int64_t budget(int64_t room, const PoolShares& pool) const;
  /// `budget` >= least(). kInvalidArgument where --ring-bytes holds no unit, or has nothing to
  /// hold.
  Result<placement::PlacementPlan> place(int64_t budget) const;

 private:
  placement::PlacementRequest request(int64_t budget) const;

  placement::WeightsOn weights_on_;
  std::optional<int64_t> ring_bytes_;
  bool finished_apart_;
  std::vector<placement::UnitFacts> units_;
};

}  // namespace strata::engine
