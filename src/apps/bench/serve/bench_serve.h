// `strata bench serve`: how fast a server with OpenAI's API answers a load, whosever it is. From
// flags to a plan, a run and its report.
#pragma once

#include <string>

#include "apps/bench/serve/load_plan.h"
#include "apps/bench/serve/load_report.h"
#include "apps/bench/serve/load_run.h"
#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct BenchServeArgs {
  LoadPlanArgs plan;
  LoadTarget target;
  Slo slo;
  std::string json;  // files; empty: none
  std::string html;
  std::string compare;
  std::string command;  // as it could be typed again, without the key
};

FieldList bench_serve_fields();
Result<BenchServeArgs> make_bench_serve_args(Env& env, const FieldValues& values);

/// Prints a table to stdout. kCancelled after Ctrl-C, once what there was has been printed;
/// kUnavailable where no request was answered.
Result<void> run_bench_serve(Env& env, const BenchServeArgs& args);

}  // namespace strata::apps
