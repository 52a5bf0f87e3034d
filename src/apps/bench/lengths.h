// How long the prompts and answers of a benchmark's requests are: read from a table, or drawn.
// Knows neither a model nor a schedule.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "sched/step_model.h"

namespace strata::apps {

/// The first `requests` rows "prompt tokens,answer tokens" of the file at `path`; # begins a
/// comment. Names the line that is no such row or exceeds `max_model_len` tokens.
Result<std::vector<sched::ModelRequest>> read_lengths(Env& env, const std::string& path,
                                                      int64_t requests, int64_t max_model_len);

/// A number of tokens, drawn: "128", "64:256" (uniform, both ends too) or "lognormal:MEAN:SIGMA"
/// (cut to 4..2048, as bench/sharegpt_like.csv is).
struct LengthSpec {
  struct Lognormal {
    double mean = 0;
    double sigma = 0;
  };
  int64_t least = 1;
  int64_t most = 1;
  std::optional<Lognormal> lognormal = {};  // instead of the two
};
/// An error names `flag`.
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

/// A prompt's length, then its answer's, for one request after the other.
std::vector<sched::ModelRequest> draw_lengths(int64_t requests, const LengthSpec& prompt,
                                              const LengthSpec& answer, uint64_t seed);

}  // namespace strata::apps
