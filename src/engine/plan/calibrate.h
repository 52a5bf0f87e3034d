// Prices of this machine for a resolved configuration, from the user's cache of probes or measured
// anew: the disk that the weights lie on, and computing this model's layers. Between resolve.h and
// forecast.h. What cannot be measured stays unknown, with its reason; nothing here fails.
#pragma once

#include <string>
#include <vector>

#include "base/env.h"
#include "engine/machine.h"
#include "engine/opened_model.h"
#include "engine/resolve.h"
#include "placement/cost.h"

namespace strata::engine {

/// kCached: what the cache has. kMissing: what it lacks is measured. kAgain: everything is.
enum class Probing : uint8_t { kCached, kMissing, kAgain };

/// Where a price comes from, for people and programs.
struct PriceSource {
  std::string name;         // "disk", "compute"
  std::string what;         // what was measured, or why nothing was
  int64_t unix_time_s = 0;  // 0: not measured
  bool cached = false;      // by an earlier run
};

struct Calibration {
  placement::CostTable costs;
  std::vector<PriceSource> sources;
};

/// The disk is asked for only where `config` streams. Measuring takes up to seven seconds, and
/// memory that is given back (placement/compute_probe.h): call it before weights are loaded.
Calibration calibrate(Env& env, const OpenedModel& opened, const ResolvedConfig& config,
                      const MachineFacts& machine, Probing probing);

}  // namespace strata::engine
