// `strata bench latency MODEL`: prefill and decode through the whole engine, each run beside a
// fresh probe of the machine's peaks, quoted as a share of them.
#pragma once

#include <string>

#include "base/env.h"
#include "base/status.h"
#include "engine/config.h"

namespace strata::apps {

struct BenchLatencyArgs {
  std::string model;
  std::string revision;
  engine::EngineConfig engine;
  int repeats = 5;
  std::string cases = "all";  // or a comma-separated choice of case names
  bool json = false;
};

/// Prints a table (or JSON) to stdout, progress to stderr. Loads the model.
Result<void> run_bench_latency(Env& env, const BenchLatencyArgs& args);

}  // namespace strata::apps
