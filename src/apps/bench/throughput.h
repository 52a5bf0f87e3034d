// `strata bench throughput MODEL`: many requests of mixed lengths through the whole engine, their
// time beside the least that this machine's peaks, probed around the run, allow.
#pragma once

#include <cstdint>
#include <string>

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"
#include "engine/config.h"

namespace strata::apps {

struct BenchThroughputArgs {
  std::string model;
  std::string revision;
  engine::EngineConfig engine;
  int64_t requests = 0;
  int64_t seed = 0;
  std::string lengths;        // a table (apps/bench/lengths.h); empty: drawn by the two
  std::string prompt_tokens;  // a LengthSpec
  std::string output_tokens;  // ditto
  bool json = false;
};

FieldList bench_throughput_fields();
Result<BenchThroughputArgs> make_bench_throughput_args(const std::string& model,
                                                       const FieldValues& values);

/// Prints a table (or JSON) to stdout, progress to stderr. Loads the model.
Result<void> run_bench_throughput(Env& env, const BenchThroughputArgs& args);

}  // namespace strata::apps
