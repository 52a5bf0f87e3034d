// One seed of random traffic through a scheduler under a fake clock, with everything checked after
// every step that must hold whatever arrives.
#pragma once

#include <cstdint>
#include <string>

#include "sched/plant.h"

namespace strata::sim {

struct Outcome {
  std::string fault;  // empty: everything held
  int64_t steps = 0;
  int64_t requests = 0;
  int64_t preemptions = 0;
  int64_t solo_starts = 0;
  int64_t forks = 0;
  int64_t cached_tokens = 0;
  int64_t drafts = 0;
  int64_t accepted_drafts = 0;
  int64_t limits = 0;  // put on the pool
};

/// The same for the same arguments on every machine.
Outcome simulate(uint64_t seed, sched::Plant plant);

}  // namespace strata::sim
