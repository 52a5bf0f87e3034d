// `strata plan MODEL`: what a run with these flags would take and how fast it would be, before
// anything is loaded.
#pragma once

#include <string>

#include "apps/plan/planned.h"
#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct PlanArgs {
  SessionArgs session;
  bool probe_again = false;
  bool json = false;
};

FieldList plan_fields();
Result<PlanArgs> make_plan_args(const std::string& model, const FieldValues& values);

/// The table, or JSON, on stdout.
Result<void> run_plan(Env& env, const PlanArgs& args);

}  // namespace strata::apps
