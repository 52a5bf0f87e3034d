// A plan's table: in full for `strata plan`, as JSON, in a few lines before a run, and predicted
// beside measured after it. Shows what forecast.h says; computes nothing.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "engine/engine.h"
#include "engine/plan/calibrate.h"
#include "engine/plan/forecast.h"
#include "engine/resolve.h"

namespace strata::apps {

struct PlanTable {
  const engine::ResolvedConfig& config;
  const engine::Forecast& forecast;
  const engine::Calibration& prices;
  std::optional<engine::Forecast> one_more_gib = {};
};

/// Rows of name and text; names may repeat as "".
std::vector<std::pair<std::string, std::string>> plan_rows(const PlanTable& table);
Json plan_json(const PlanTable& table);
/// One line where all weights stay in memory, a few otherwise.
std::vector<std::string> plan_lines(const PlanTable& table);

/// Predicted beside measured, once a run has ended; empty where there is nothing to compare.
std::vector<std::string> outcome_lines(const engine::Engine& engine,
                                       const engine::OpenedModel& opened,
                                       const placement::CostTable& costs);

}  // namespace strata::apps
