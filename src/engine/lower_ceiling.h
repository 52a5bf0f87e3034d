// A memory ceiling that is lowered while the engine runs: what stays in memory then, decided as it
// is at the start (resolve.h). Pure; the engine carries it out (Engine::lower_ceiling).
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "engine/resolve.h"
#include "model/weights.h"
#include "placement/plan.h"

namespace strata::engine {

struct LoweredCeiling {
  int64_t memory_bytes = 0;
  placement::PlacementPlan placement;  // of the weights
  bool moves_weights = false;          // it is another one than before
  int64_t slabs = 0;                   // of the KV pool
};

/// Gives up weights, the ring and the KV pool; activations, logits, text and the program keep what
/// they have. Weights leave memory where the pool would become too small to be of use.
/// kInvalidArgument for more than the ceiling of now, kResourceLimit for less than the least that
/// does; both name "memory".
Result<LoweredCeiling> lower_ceiling(const ResolvedConfig& now, const model::WeightPlan& plan,
                                     int64_t memory_bytes);

/// As JSON with a line's end: what became of it, or "error" with the message.
std::string to_json(const Result<LoweredCeiling>& lowered, int64_t slab_bytes);

}  // namespace strata::engine
