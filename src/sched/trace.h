// A run of the scheduler as values: the configuration, then every step's input, plan and result,
// each a JSON object (a line of a --trace-steps file), and the check that the same inputs give the
// same plans again. Reads and writes no files.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "sched/scheduler.h"
#include "sched/types.h"

namespace strata::sched {

inline constexpr int64_t kTraceFormat = 1;

struct TraceHeader {
  std::string program;  // "strata 0.1.0"
  std::string model;    // for people
  SchedulerConfig scheduler{};
};

struct TraceStep {
  StepInput input{};
  StepPlan plan{};
  StepResult result{};
};

Json to_json(const SchedulerConfig& config);
Json to_json(const TraceHeader& header);
/// A step's line, from parts that the engine has apart.
Json trace_step_json(const StepInput& input, const StepPlan& plan, const StepResult& result);
/// The last line: a trace without it was cut.
Json trace_end_json(int64_t steps);

/// kUnsupported where another format wrote it.
Result<TraceHeader> trace_header_from_json(const Json& json);
Result<TraceStep> trace_step_from_json(const Json& json);
/// The number of steps where `json` is a last line, nullopt where it is not.
Result<std::optional<int64_t>> trace_end_from_json(const Json& json);

std::string_view batching_name(Batching batching);
Result<Batching> parse_batching(std::string_view name);

/// A fresh scheduler that is given a trace's inputs.
class Replay {
 public:
  static Result<Replay> create(const TraceHeader& header);

  /// Schedules the step's input. What differs from the trace, in words; nullopt where nothing does.
  /// kInvalidData where the input cannot be one of a run.
  Result<std::optional<std::string>> step(const TraceStep& step);

 private:
  explicit Replay(Scheduler scheduler) : scheduler_(std::move(scheduler)) {}

  Scheduler scheduler_;
  std::deque<StepResult> results_;  // recorded, and not yet among an input's completions
};

}  // namespace strata::sched
