// Lines of a trace, and its replay.
#include "sched/trace.h"

#include <fmt/core.h>

#include <utility>

#include "sched/serialize.h"

namespace strata::sched {
namespace {

// Far above any run, and low enough that sums of them are numbers.
constexpr int64_t kMost = int64_t{1} << 26;
constexpr int64_t kMostUs = int64_t{1} << 30;

Json write_groups(const SchedulerConfig& config) {
  Json groups = Json::array();
  for (const GroupShape& group : config.groups) {
    groups.push_back({{"frames_per_slab", group.frames_per_slab}, {"window", group.window}});
  }
  return groups;
}

Result<SchedulerConfig> read_config(const Json& json) {
  SchedulerConfig config;
  config.max_sequences = TRY(get_int(json, "max_sequences", 1, kMost));
  config.max_batched_tokens = TRY(get_int(json, "max_batched_tokens", 1, kMost));
  config.prefill_chunk = TRY(get_int(json, "prefill_chunk", 1, kMost));
  config.max_logit_rows = TRY(get_int(json, "max_logit_rows", 1, kMost));
  config.block_tokens = TRY(get_int(json, "block_tokens", 1, kMost));
  config.slabs = TRY(get_int(json, "slabs", 1, kMost));
  for (const Json& group : *TRY(get_array(json, "groups"))) {
    config.groups.push_back({.frames_per_slab = TRY(get_int(group, "frames_per_slab", 1, kMost)),
                             .window = TRY(get_int(group, "window", 0, kMostUs))});
  }
  config.depth = static_cast<int>(TRY(get_int(json, "depth", 1, 1024)));
  config.prefix_caching = TRY(get_bool(json, "prefix_caching"));
  const std::string batching = TRY(get_string(json, "batching"));
  config.batching = TRY(parse_batching(batching));
  config.reserve_tokens = TRY(get_int(json, "reserve_tokens", 0, kMostUs));
  config.ageing_us = TRY(get_int(json, "ageing_us", 0, kMostUs));
  config.fair_us_per_token = TRY(get_int(json, "fair_us_per_token", 0, 1'000'000));
  return config;
}

// The first field that is not the same, with both values where they are short.
std::string difference(const StepPlan& recorded, const StepPlan& replayed) {
  const Json a = to_json(recorded), b = to_json(replayed);
  for (const auto& [key, value] : a.items()) {
    const Json& other = b.at(key);
    if (value == other) continue;
    return fmt::format("plan {}: {} is {} in the trace and {} now",
                       strata::sched::value(recorded.id), key, value.dump().substr(0, 120),
                       other.dump().substr(0, 120));
  }
  return fmt::format("plan {} differs", strata::sched::value(recorded.id));
}

}  // namespace

std::string_view batching_name(Batching batching) {
  return batching == Batching::kStatic ? "static" : "continuous";
}

Result<Batching> parse_batching(std::string_view name) {
  for (const Batching batching : {Batching::kContinuous, Batching::kStatic}) {
    if (batching_name(batching) == name) return batching;
  }
  return fail(Code::kInvalidData, "batching", std::string(name), "continuous or static");
}

Json to_json(const SchedulerConfig& config) {
  return {{"max_sequences", config.max_sequences},
          {"max_batched_tokens", config.max_batched_tokens},
          {"prefill_chunk", config.prefill_chunk},
          {"max_logit_rows", config.max_logit_rows},
          {"block_tokens", config.block_tokens},
          {"slabs", config.slabs},
          {"groups", write_groups(config)},
          {"depth", config.depth},
          {"prefix_caching", config.prefix_caching},
          {"batching", batching_name(config.batching)},
          {"reserve_tokens", config.reserve_tokens},
          {"ageing_us", config.ageing_us},
          {"fair_us_per_token", config.fair_us_per_token}};
}

Json to_json(const TraceHeader& header) {
  return {{"trace_format", kTraceFormat},
          {"program", header.program},
          {"model", header.model},
          {"scheduler", to_json(header.scheduler)}};
}

Json trace_step_json(const StepInput& input, const StepPlan& plan, const StepResult& result) {
  return {{"input", to_json(input)}, {"plan", to_json(plan)}, {"result", to_json(result)}};
}

Json trace_end_json(int64_t steps) { return {{"steps", steps}}; }

Result<TraceHeader> trace_header_from_json(const Json& json) {
  const int64_t format = TRY(get_int(json, "trace_format", 1, kMost));
  if (format != kTraceFormat) {
    return fail(Code::kUnsupported, "trace_format", fmt::format("{}", format),
                fmt::format("{}", kTraceFormat), "replay it with the program that wrote it");
  }
  TraceHeader header;
  header.program = TRY(get_string(json, "program"));
  header.model = TRY(get_string(json, "model"));
  auto config = read_config(*TRY(get_object(json, "scheduler")));
  if (!config) return std::unexpected(std::move(config).error().with_context("scheduler"));
  header.scheduler = std::move(*config);
  return header;
}

Result<TraceStep> trace_step_from_json(const Json& json) {
  TraceStep step;
  const auto within = [&json](std::string_view key, auto read, auto& to) -> Result<void> {
    auto parsed = read(*TRY(get_object(json, key)));
    if (!parsed) return std::unexpected(std::move(parsed).error().with_context(key));
    to = std::move(*parsed);
    return {};
  };
  TRY(within("input", step_input_from_json, step.input));
  TRY(within("plan", step_plan_from_json, step.plan));
  TRY(within("result", step_result_from_json, step.result));
  return step;
}

Result<std::optional<int64_t>> trace_end_from_json(const Json& json) {
  return optional_int(json, "steps", 0, std::numeric_limits<int64_t>::max());
}

Result<Replay> Replay::create(const TraceHeader& header) {
  return Replay(TRY(Scheduler::create(header.scheduler)));
}

Result<std::optional<std::string>> Replay::step(const TraceStep& step) {
  auto sound = scheduler_.check(step.input);
  if (!sound) return std::unexpected(std::move(sound).error().with_context("input"));
  std::optional<std::string> found;
  for (const StepResult& completion : step.input.completions) {
    if (results_.empty() || results_.front() != completion) {
      found = fmt::format("the result of plan {} is not the one that the input brings",
                          value(completion.plan));
    }
    if (!results_.empty()) results_.pop_front();
  }
  const StepPlan plan = scheduler_.schedule(step.input);
  if (plan != step.plan) found = difference(step.plan, plan);
  if (step.result.plan != plan.id && !found) found = "the result is of another plan";
  results_.push_back(step.result);
  return found;
}

}  // namespace strata::sched
