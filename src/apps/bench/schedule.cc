// Reading lengths, four runs of the step model, their ratios.
#include "apps/bench/schedule.h"

#include <fmt/core.h>

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
     .help = "instead of both: a --stats file; a step costs what steps of its rows took in that "
             "run"},
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

Result<std::vector<sched::StepCost>> read_costs(Env& env, const std::string& path) {
  const std::string text = TRY(env.read_small_file(path, kMaxStatsBytes));
  const Json stats = TRY(parse_json_object(text, path));
  const Json* groups = TRY(get_array(stats, "steps_by_rows"));
  std::vector<sched::StepCost> costs;
  int64_t steps = 0;
  double rows = 0, us = 0;
  for (const Json& group : *groups) {
    const int64_t count = TRY(get_int(group, "steps", 1, int64_t{1} << 40));
    const int64_t of_each = TRY(get_int(group, "rows", 1, 1 << 20));
    steps += count;
    rows += static_cast<double>(of_each * count);
    us += TRY(get_double(group, "mean_us")) * static_cast<double>(count);
    if (steps < kLeastSteps) continue;
    const auto all = static_cast<double>(steps);
    costs.push_back({.rows = rows / all, .us = us / all});
    steps = 0;
    rows = us = 0;
  }
  if (steps > 0) {
    const auto all = static_cast<double>(steps);
    costs.push_back({.rows = rows / all, .us = us / all});
  }
  return costs;
}

Result<std::vector<sched::StepCost>> costs_of(Env& env, const BenchScheduleArgs& args) {
  if (!args.prices.empty()) return read_costs(env, args.prices);
  const auto most = static_cast<double>(args.max_num_batched_tokens);
  return std::vector<sched::StepCost>{{.rows = 0, .us = args.step_us},
                                      {.rows = most, .us = args.step_us + args.row_us * most}};
}

std::string prices_of(const BenchScheduleArgs& args) {
  if (!args.prices.empty()) return "a step takes what it took in " + args.prices;
  return fmt::format("a step takes {} us and {} us for each row", args.step_us, args.row_us);
}

void print_table(const std::vector<Case>& cases, const BenchScheduleArgs& args) {
  fmt::print("{} requests; {}; blocks of {} tokens\n", args.requests, prices_of(args),
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

Json to_json(const std::vector<Case>& cases, const BenchScheduleArgs& args) {
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
  const std::vector<sched::StepCost> costs = TRY(costs_of(env, args));
  std::vector<Case> cases;
  for (const auto batching : {sched::Batching::kContinuous, sched::Batching::kStatic}) {
    for (const bool reserve_max : {false, true}) {
      Case what{.batching = batching, .reserve_max = reserve_max};
      what.outcome = TRY(sched::run_step_model(config_of(args, what), requests, costs));
      cases.push_back(what);
    }
  }
  if (args.json) {
    fmt::print("{}\n", to_json(cases, args).dump(2));
  } else {
    print_table(cases, args);
  }
  return {};
}

}  // namespace strata::apps
