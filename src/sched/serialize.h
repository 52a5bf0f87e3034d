// The scheduler's values as JSON and as lines for people: logs, replays and tests. from_json checks
// every field, so a stored trace may come from anywhere.
#pragma once

#include <string>

#include "base/json.h"
#include "base/status.h"
#include "sched/types.h"

namespace strata::sched {

Json to_json(const StepInput& input);
Json to_json(const StepPlan& plan);
Json to_json(const StepResult& result);

Result<StepInput> step_input_from_json(const Json& json);
Result<StepPlan> step_plan_from_json(const Json& json);
Result<StepResult> step_result_from_json(const Json& json);

/// "plan 7: 65 rows (1 admitted, 0 preempted, 2 blocks taken, 0 freed); 12@512+64*; 3@70+1*":
/// sequence @ first position + rows, * yields.
std::string describe(const StepPlan& plan);

std::string_view finish_reason_name(FinishReason reason);

}  // namespace strata::sched
