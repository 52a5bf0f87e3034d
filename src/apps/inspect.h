// `strata inspect MODEL`: what a model is and what it would take, without loading it.
#pragma once

#include <string>

#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct InspectArgs {
  std::string model;
  std::string revision;
  std::string dtype = "auto";
  std::string isa = "auto";
  bool json = false;
};

/// Prints to stdout. Reads headers only: a second at most, whatever the model's size.
Result<void> run_inspect(Env& env, const InspectArgs& args);

}  // namespace strata::apps
