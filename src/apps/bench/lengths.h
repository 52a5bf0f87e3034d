// How long the prompts and answers of a benchmark's requests are: read from a table, or drawn.
// Knows neither a model nor a schedule.
#pragma once

#include <cstdint>
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

/// Both ends are drawn too.
struct LengthRange {
  int64_t least = 1;
  int64_t most = 1;
};

/// "32:512", or one number for a fixed length; an error names `flag`.
Result<LengthRange> parse_length_range(const std::string& flag, std::string_view text);

/// Uniform over both ranges; the same for the same seed everywhere.
std::vector<sched::ModelRequest> draw_lengths(int64_t requests, LengthRange prompt,
                                              LengthRange answer, uint64_t seed);

}  // namespace strata::apps
