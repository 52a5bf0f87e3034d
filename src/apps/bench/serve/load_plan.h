// What a load test sends and when: lengths, bodies and arrival times, all from one seed. Between
// flags and the runner, which only keeps to it; pure but for the files it reads.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "apps/bench/lengths.h"
#include "base/env.h"
#include "base/json.h"
#include "base/status.h"

namespace strata::apps {

/// A number of tokens, drawn: "128", "64:256" (uniform) or "lognormal:MEAN:SIGMA" (cut to 4..2048,
/// as bench/sharegpt_like.csv is).
struct LengthSpec {
  struct Lognormal {
    double mean = 0;
    double sigma = 0;
  };
  LengthRange range = {};
  std::optional<Lognormal> lognormal = {};  // instead of the range
};
Result<LengthSpec> parse_length_spec(const std::string& flag, std::string_view text);

/// Numbers that are the same with every library.
class LoadRandom {
 public:
  explicit LoadRandom(uint64_t seed) : generator_(seed) {}
  uint64_t next() { return generator_(); }
  /// Of (0, 1).
  double uniform();
  double normal();
  /// With mean 1.
  double gamma(double shape);
  int64_t length(const LengthSpec& spec);

 private:
  std::mt19937_64 generator_;
};

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
