// `strata doctor`: what this machine has, which path Strata takes on it and what speed to expect.
#pragma once

#include <string>

#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct DoctorArgs {
  bool json = false;
  int threads = 0;                // 0: one per core
  std::string disk_folder = ".";  // where disk speed is probed; empty: not at all
};

/// Prints to stdout. Takes some seconds for the probes.
Result<void> run_doctor(Env& env, const DoctorArgs& args);

}  // namespace strata::apps
