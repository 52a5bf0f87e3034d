// What a load test comes to: one JSON document with all its numbers, and the tables made of it.
// Between the runner and files or terminals; measures nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/bench/serve/load_run.h"
#include "base/json.h"
#include "base/status.h"

namespace strata::apps {

/// What an answer must keep to for it to count as goodput, in milliseconds.
struct Slo {
  std::optional<double> ttft_ms = {};
  std::optional<double> tpot_ms = {};
  std::optional<double> e2el_ms = {};

  bool any() const { return ttft_ms || tpot_ms || e2el_ms; }
};

/// "ttft:500,tpot:50"; kInvalidArgument names --slo.
Result<Slo> parse_slo(std::string_view text);

/// Linear between the two nearest; `sorted` ascending. 0 where there is none.
double percentile(const std::vector<double>& sorted, double share);

/// Names and units as `vllm bench serve` has them: times in lists are seconds, statistics
/// milliseconds.
Json report_json(const LoadRun& run, const Slo& slo);

/// For a terminal.
std::string report_table(const Json& report);
/// Two runs side by side. kInvalidData naming the number that `before` lacks.
Result<std::string> comparison_table(const Json& before, const Json& after);

}  // namespace strata::apps
