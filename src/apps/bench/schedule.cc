// Reading lengths, four runs of the step model, their ratios.
#include "apps/bench/schedule.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "apps/bench/lengths.h"
#include "base/json.h"
#include "sched/step_model.h"
#include "sched/trace.h"

namespace strata::apps {
namespace {

constexpr int64_t kBlockTokens = 32;

constexpr ConfigField integer_field(const char* name, const char* fallback, const char* unit,
                                    double max, const char* help) {
  return {.name = name,
          .kind = FieldKind::kInteger,
          .fallback = fallback,
          .unit = unit,
          .min = 1,
          .max = max,
          .help = help};
}
constexpr ConfigField price_field(const char* name, const char* fallback, const char* help) {
  return {.name = name,
          .kind = FieldKind::kNumber,
          .fallback = fallback,
          .unit = "us",
          .min = 0,
          .max = 1e9,
          .help = help};
}

constexpr ConfigField kFields[] = {
    {.name = "lengths",
     .fallback = "bench/sharegpt_like.csv",
     .unit = "FILE",
     .help = "rows of prompt tokens, a comma, answer tokens"},
    integer_field("requests", "256", "requests", 1 << 20,
                  "how many rows of the file, from its start"),
    price_field("step-us", "20000", "time of any step: price_step_us of --stats"),
    price_field("row-us", "1000", "time of each row of a step: price_row_us of --stats"),
    {.name = "prices",
     .unit = "FILE",
     .help = "instead of both: a --stats file; a step costs what steps of its rows and its "
             "context took in that run"},
    integer_field("max-num-seqs", "64", "sequences", 4096, "how many sequences run in one batch"),
    integer_field("max-num-batched-tokens", "512", "tokens", 65536, "most tokens of a step"),
    integer_field("prefill-chunk", "512", "tokens", 65536,
                  "most prompt tokens of one sequence in a step"),
    integer_field("kv-blocks", "512", "blocks of 32 tokens", 1 << 26, "size of the KV pool"),
    integer_field("max-model-len", "2048", "tokens", 1 << 24,
                  "longest sequence: what --kv reserve-max takes for each"),
    {.name = "json", .kind = FieldKind::kSwitch, .help = "print JSON"},
};

struct Case {
  sched::Batching batching = sched::Batching::kContinuous;
  bool reserve_max = false;
  sched::ModelOutcome outcome{};

  std::string_view kv() const { return reserve_max ? "reserve-max" : "paged"; }
  double requests_per_s(int64_t requests) const {
    return static_cast<double>(requests) / outcome.seconds;
  }
};

sched::SchedulerConfig config_of(const BenchScheduleArgs& args, const Case& what) {
  // Which frame a block lies in costs nothing here, so a slab is a block.
  return {.max_sequences = args.max_num_seqs,
          .max_batched_tokens = args.max_num_batched_tokens,
          .prefill_chunk = args.prefill_chunk,
          .max_logit_rows = args.max_num_seqs,
          .block_tokens = kBlockTokens,
          .slabs = args.kv_blocks,
          .groups = {{.frames_per_slab = 1, .window = 0}},
          .prefix_caching = false,
          .batching = what.batching,
          .reserve_tokens = what.reserve_max ? args.max_model_len : 0};
}

double ratio_of(const Case& better, const Case& worse) {
  return worse.outcome.seconds / better.outcome.seconds;
}

// Steps of one number of rows that came a few times only say more about the machine's moment than
// about the rows: they are taken together with their neighbours.
constexpr int64_t kLeastSteps = 20;
constexpr uint64_t kMaxStatsBytes = 64 << 20;

// Steps of nearly one number of rows, together.
struct Steps {
  double count = 0, rows = 0, us = 0, context = 0;

  // Their time less what their context cost.
  sched::StepCost cost(double context_us) const {
    return {.rows = rows / count, .us = std::max(0.0, (us - context_us * context) / count)};
  }
};

Result<sched::StepCosts> parse_costs(const Json& stats) {
  sched::StepCosts costs;
  if (find_member(stats, "price_context_us") == nullptr) {
    return fail(Code::kInvalidData, "price_context_us", "missing", "a number",
                "the file is no --stats file, or one of an earlier version: run again");
  }
  costs.context_us = TRY(get_double(stats, "price_context_us", 0));
  const Json* groups = TRY(get_array(stats, "steps_by_rows"));
  Steps steps;
  for (size_t i = 0; i < groups->size(); i++) {
    const auto read = [&, where = fmt::format("steps_by_rows[{}]", i)]() -> Result<void> {
      const Json& group = (*groups)[i];
      const auto count =
          static_cast<double>(TRY(in_file(where, get_int(group, "steps", 1, int64_t{1} << 40))));
      steps.count += count;
      steps.rows +=
          count * static_cast<double>(TRY(in_file(where, get_int(group, "rows", 1, 1 << 20))));
      steps.us += count * TRY(in_file(where, get_double(group, "mean_us", 0)));
      steps.context += count * TRY(in_file(where, get_double(group, "mean_context", 0)));
      return {};
    };
    TRY(read());
    if (steps.count < kLeastSteps && i + 1 < groups->size()) continue;
    costs.by_rows.push_back(steps.cost(costs.context_us));
    steps = {};
  }
  if (sched::check(costs)) return costs;
  return fail(Code::kInvalidData, "steps_by_rows", {},
              "steps of ascending numbers of rows, the last with a time");
}

Result<sched::StepCosts> costs_of(Env& env, const BenchScheduleArgs& args) {
  if (!args.prices.empty()) {
    const std::string text = TRY(env.read_small_file(args.prices, kMaxStatsBytes));
    const Json stats = TRY(parse_json_object(text, args.prices));
    return in_file(args.prices, parse_costs(stats));
  }
  const auto most = static_cast<double>(args.max_num_batched_tokens);
  sched::StepCosts costs;
  costs.by_rows = {{.rows = 0, .us = args.step_us},
                   {.rows = most, .us = args.step_us + args.row_us * most}};
  return costs;
}

std::string prices_of(const BenchScheduleArgs& args, const sched::StepCosts& costs) {
  if (!args.prices.empty()) {
    return fmt::format(
        "a step takes what its rows took in {} and {:.3g} us for each token that it "
        "looks at",
        args.prices, costs.context_us);
  }
  return fmt::format("a step takes {} us and {} us for each row", args.step_us, args.row_us);
}

void print_table(const std::vector<Case>& cases, const BenchScheduleArgs& args,
                 const sched::StepCosts& costs) {
  fmt::print("{} requests; {}; blocks of {} tokens\n", args.requests, prices_of(args, costs),
             kBlockTokens);
  fmt::print("{:<12}{:<13}{:>11}{:>11}{:>10}{:>9}{:>13}{:>10}\n", "batching", "kv", "requests/s",
             "in flight", "KV waste", "steps", "preemptions", "seconds");
  for (const Case& what : cases) {
    fmt::print("{:<12}{:<13}{:>11.3f}{:>11.1f}{:>9.1f}%{:>9}{:>13}{:>10.1f}\n",
               sched::batching_name(what.batching), what.kv(), what.requests_per_s(args.requests),
               what.outcome.mean_running, 100 * what.outcome.kv_waste_share, what.outcome.steps,
               what.outcome.preemptions, what.outcome.seconds);
  }
  fmt::print("continuous over static: {:.2f} x requests/s\n", ratio_of(cases[0], cases[2]));
  fmt::print("paged over reserve-max: {:.2f} x requests/s, {:.2f} x in flight\n",
             ratio_of(cases[0], cases[1]),
             cases[0].outcome.mean_running / cases[1].outcome.mean_running);
}

Json to_json(const std::vector<Case>& cases, const BenchScheduleArgs& args,
             const sched::StepCosts& costs) {
  Json rows = Json::array();
  for (const Case& what : cases) {
    rows.push_back({{"batching", sched::batching_name(what.batching)},
                    {"kv", what.kv()},
                    {"requests_per_s", what.requests_per_s(args.requests)},
                    {"mean_running", what.outcome.mean_running},
                    {"kv_waste_share", what.outcome.kv_waste_share},
                    {"steps", what.outcome.steps},
                    {"preemptions", what.outcome.preemptions},
                    {"seconds", what.outcome.seconds}});
  }
  Json made = {{"requests", args.requests}, {"cases", rows}};
  if (args.prices.empty()) {
    made["step_us"] = args.step_us;
    made["row_us"] = args.row_us;
  } else {
    made["prices"] = args.prices;
    made["context_us"] = costs.context_us;
  }
  return made;
}

}  // namespace

FieldList bench_schedule_fields() { return kFields; }

BenchScheduleArgs make_bench_schedule_args(const FieldValues& values) {
  return {.lengths = values.text("lengths"),
          .requests = *values.integer("requests"),
          .step_us = *values.number("step-us"),
          .row_us = *values.number("row-us"),
          .prices = values.text("prices"),
          .max_num_seqs = *values.integer("max-num-seqs"),
          .max_num_batched_tokens = *values.integer("max-num-batched-tokens"),
          .prefill_chunk = *values.integer("prefill-chunk"),
          .kv_blocks = *values.integer("kv-blocks"),
          .max_model_len = *values.integer("max-model-len"),
          .json = values.is_on("json")};
}

Result<void> run_bench_schedule(Env& env, const BenchScheduleArgs& args) {
  const std::vector<sched::ModelRequest> requests =
      TRY(read_lengths(env, args.lengths, args.requests, args.max_model_len));
  const sched::StepCosts costs = TRY(costs_of(env, args));
  std::vector<Case> cases;
  for (const auto batching : {sched::Batching::kContinuous, sched::Batching::kStatic}) {
    for (const bool reserve_max : {false, true}) {
      Case what{.batching = batching, .reserve_max = reserve_max};
      what.outcome = TRY(sched::run_step_model(config_of(args, what), requests, costs));
      cases.push_back(what);
    }
  }
  if (args.json) {
    fmt::print("{}\n", to_json(cases, args, costs).dump(2));
  } else {
    print_table(cases, args, costs);
  }
  return {};
}

}  // namespace strata::apps
