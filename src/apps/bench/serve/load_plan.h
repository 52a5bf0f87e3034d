// What a load test sends and when: lengths, bodies and arrival times, all from one seed. Between
// flags and the runner, which only keeps to it; pure but for the files it reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/bench/lengths.h"
#include "base/env.h"
#include "base/json.h"
#include "base/status.h"

namespace strata::apps {

struct LoadPlanArgs {
  int64_t requests = 0;
  uint64_t seed = 0;
  std::optional<double> rate = {};  // requests a second; empty: as soon as a place is free
  double burstiness = 1;            // 1: Poisson; below: in bursts; above: evenly
  LengthSpec prompt = {};
  LengthSpec answer = {};
  std::string lengths = {};  // a file of pairs instead of the two
  std::string dataset = {};  // a file of bodies instead of all three
};

/// One request. Without a body of its own it is a prompt of about so many tokens.
struct PlannedRequest {
  double at_s = 0;  // since the start
  int64_t prompt_tokens = 0;
  int64_t answer_tokens = 0;
  uint64_t seed = 0;  // of its words
  Json body = {};     // of a dataset; null: made of the rest
};

Result<std::vector<PlannedRequest>> plan_load(Env& env, const LoadPlanArgs& args);

/// Words that are different for each seed.
std::string words(int64_t count, uint64_t seed);

}  // namespace strata::apps
