// A --trace-steps file through a fresh scheduler, line by line with bounded memory: which steps
// come out otherwise, or what is wrong with the file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/env.h"
#include "base/status.h"

namespace strata::sim {

struct ReplayOutcome {
  int64_t steps = 0;
  int64_t differences = 0;
};

struct ReplayPrinter {
  std::function<void(const std::string& plan)> on_plan = {};  // describe() of each, as recorded
  std::function<void(const std::string& difference)> on_difference = {};
};

/// Fails at the first line that cannot belong to a trace, naming line and field; what `printer` has
/// got by then stands.
Result<ReplayOutcome> replay_file(Env& env, const std::string& path, const ReplayPrinter& printer);

}  // namespace strata::sim
