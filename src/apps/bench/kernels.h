// `strata bench kernels`: the ops that carry a model's time, each as a share of the peaks probed
// beside it. Needs no model.
#pragma once

#include <string>

#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct BenchKernelsArgs {
  int threads = 0;  // 0: one per core
  std::string isa = "auto";
  int repeats = 5;
  bool json = false;
};

Result<void> run_bench_kernels(Env& env, const BenchKernelsArgs& args);

}  // namespace strata::apps
