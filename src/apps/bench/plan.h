// `strata bench plan MODEL`: many configurations of one model, each planned, run and held against
// its plan: seconds a pass and bytes by tag.
#pragma once

#include <string>
#include <vector>

#include "apps/plan/planned.h"
#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct BenchPlanArgs {
  SessionArgs session;
  std::string pack;  // the same model as a pack; empty: only `session.model`
  int64_t passes = 8;
  bool probe_again = false;
  bool json = false;
};

FieldList bench_plan_fields();
Result<BenchPlanArgs> make_bench_plan_args(const std::string& model, const FieldValues& values);

/// Prints a table (or JSON) to stdout, progress to stderr. Loads the model once a configuration.
Result<void> run_bench_plan(Env& env, const BenchPlanArgs& args);

}  // namespace strata::apps
