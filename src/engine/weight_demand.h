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

class WeightDemand {
 public:
  WeightDemand(const EngineConfig& config, const model::WeightPlan& plan);

  /// Less does not do: everything, or what must be resident and the ring.
  int64_t least() const;
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
