// The least time of a step: the larger of its bytes over what memory delivers and its operations
// over what the best unit computes. Their sum over all steps is the least time of the run, with the
// steps as the scheduler made them.
#include "apps/bench/throughput.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <random>
#include <vector>

#include "apps/bench/lengths.h"
#include "apps/bench/work.h"
#include "apps/plan/planned.h"
#include "apps/probes.h"
#include "apps/session.h"
#include "base/json.h"
#include "base/log.h"
#include "device/cpu_device.h"
#include "engine/engine.h"

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "requests",
     .kind = FieldKind::kInteger,
     .fallback = "64",
     .unit = "requests",
     .min = 1,
     .max = 1 << 20,
     .help = "how many are submitted, all before the first step"},
    {.name = "prompt-tokens",
     .fallback = "32:512",
     .unit = "LENGTHS",
     .help = "tokens of prompts: N, LEAST:MOST (uniform) or lognormal:MEAN:SIGMA"},
    {.name = "output-tokens",
     .fallback = "16:256",
     .unit = "LENGTHS",
     .help = "tokens of answers, as --prompt-tokens"},
    {.name = "lengths",
     .unit = "FILE",
     .help = "rows of prompt tokens, a comma, answer tokens, instead of drawn lengths"},
    {.name = "seed",
     .kind = FieldKind::kInteger,
     .fallback = "1",
     .min = 0,
     .max = 1e15,
     .help = "of lengths and of the random ids of prompts"},
    {.name = "json", .kind = FieldKind::kSwitch, .help = "print JSON"},
};

// What a step had to do at least, and how long it took.
struct StepWork {
  double ops = 0;
  double bytes = 0;
  double seconds = 0;
};

StepWork work_of(const sched::StepPlan& plan, const TokenWork& token) {
  StepWork work;
  for (const sched::SequenceStep& step : plan.sequences) {
    const auto first = static_cast<double>(step.first_position);
    const auto rows = static_cast<double>(step.rows);
    const double logit_rows =
        step.all_logits ? rows : double(step.yields_token) * double(step.drafts + 1);
    work.ops += rows * token.layer_ops + logit_rows * token.head_ops;
    work.ops += token.attention_ops(first, rows);
    work.bytes += token.kv_bytes_per_token * (first + rows);
  }
  if (!plan.sequences.empty()) work.bytes += token.weight_bytes;
  return work;
}

struct Report {
  engine::EngineStats stats;
  std::vector<StepWork> steps;
  MachinePeaks peaks;
  bool streams = false;
  double seconds = 0;

  /// Unknown where weights come from a disk, whose rate is another one.
  std::optional<double> least_seconds() const {
    if (streams) return std::nullopt;
    double sum = 0;
    for (const StepWork& step : steps) {
      sum += std::max(step.bytes / peaks.read_bytes_per_s, step.ops / peaks.product_ops_per_s);
    }
    return sum;
  }
};

class Runner {
 public:
  Runner(Env& env, engine::Engine& engine, const TokenWork& token)
      : env_(env), engine_(engine), token_(token) {}

  Result<Report> run(const std::vector<sched::ModelRequest>& requests, uint64_t seed) {
    engine_.set_plan_listener(
        [this](const sched::StepPlan& plan) { steps_.push_back(work_of(plan, token_)); });
    std::mt19937_64 ids(seed);
    for (const sched::ModelRequest& request : requests) TRY(submit(request, ids));
    const int64_t start = env_.now_ns();
    for (bool more = true; more;) {
      const size_t before = steps_.size();
      const int64_t step_start = env_.now_ns();
      more = engine_.step();
      if (steps_.size() > before) steps_.back().seconds = since(step_start);
      show_progress(requests.size(), start);
    }
    engine_.set_plan_listener({});
    if (failure_) return std::unexpected(*failure_);
    Report report;
    report.seconds = since(start);
    report.stats = engine_.stats();
    report.steps = std::move(steps_);
    report.streams = engine_.config().placement.streams();
    return report;
  }

 private:
  double since(int64_t start_ns) const {
    return static_cast<double>(env_.now_ns() - start_ns) * 1e-9;
  }

  Result<void> submit(const sched::ModelRequest& lengths, std::mt19937_64& ids) {
    const auto vocab = static_cast<uint64_t>(engine_.worker().model().spec().vocab);
    engine::GenerateRequest request;
    for (int64_t i = 0; i < lengths.prompt_tokens; i++) {
      request.prompt.push_back(static_cast<int32_t>(ids() % vocab));
    }
    request.max_tokens = lengths.max_tokens;
    request.sampling.temperature = 0;
    auto listener = [this](const engine::Update& update) {
      if (update.error && !failure_) failure_ = update.error;
      if (update.finished || update.error) finished_++;
    };
    TRY(engine_.submit(std::move(request), std::move(listener)));
    return {};
  }

  void show_progress(size_t requests, int64_t start_ns) {
    if (since(start_ns) < shown_s_ + 5) return;
    shown_s_ = since(start_ns);
    log_info("{} of {} requests answered after {:.0f} s", finished_, requests, shown_s_);
  }

  Env& env_;
  engine::Engine& engine_;
  const TokenWork& token_;
  std::vector<StepWork> steps_;
  std::optional<Status> failure_;
  int64_t finished_ = 0;
  double shown_s_ = 0;
};

struct Sums {
  double ops = 0;
  double bytes = 0;
};

Sums sums_of(const Report& report) {
  Sums sums;
  for (const StepWork& step : report.steps) {
    sums.ops += step.ops;
    sums.bytes += step.bytes;
  }
  return sums;
}

void print_table(const Report& report, const engine::MachineFacts& facts,
                 const engine::ResolvedConfig& config) {
  const engine::EngineStats& stats = report.stats;
  const Sums sums = sums_of(report);
  fmt::print("class {}; {}; {} threads; kernels {}\n", machine_class(facts), facts.cpu,
             config.threads, kernels::isa_name(config.isa));
  fmt::print(
      "{} requests, {} tokens in, {} out in {:.2f} s: {:.3f} requests/s, {:.1f} output "
      "tokens/s, {:.1f} tokens/s in all\n",
      stats.requests, stats.tokens_in, stats.tokens_out, report.seconds,
      static_cast<double>(stats.requests) / report.seconds,
      static_cast<double>(stats.tokens_out) / report.seconds,
      static_cast<double>(stats.tokens_in + stats.tokens_out) / report.seconds);
  fmt::print(
      "{} steps, {:.1f} sequences in flight, {} preemptions, {:.1f} % of KV memory held for "
      "nothing\n",
      stats.steps, stats.mean_running, stats.scheduler.preemptions, 100 * stats.kv_waste_share);
  fmt::print("{:.0f} GFLOP and {:.1f} GB; peaks: {:.0f} GFLOP/s {}, {:.1f} GB/s reads\n",
             sums.ops / 1e9, sums.bytes / 1e9, report.peaks.product_ops_per_s / 1e9,
             report.peaks.product_unit, report.peaks.read_bytes_per_s / 1e9);
  if (const auto least = report.least_seconds()) {
    fmt::print("these steps take {:.2f} s at least on this machine: {:.2f} x of it\n", *least,
               report.seconds / *least);
  } else {
    fmt::print("weights are streamed, so the peaks do not bound the time; see strata plan\n");
  }
  fmt::print("a step takes about {:.0f} us and {:.0f} us for each row (strata bench schedule)\n",
             stats.step_us, stats.row_us);
}

Json to_json(const Report& report, const engine::MachineFacts& facts,
             const engine::ResolvedConfig& config) {
  const Sums sums = sums_of(report);
  const auto least = report.least_seconds();
  Json steps = Json::array();
  for (const StepWork& step : report.steps) {
    steps.push_back({{"ops", step.ops}, {"bytes", step.bytes}, {"seconds", step.seconds}});
  }
  return {{"class", machine_class(facts)},
          {"cpu", facts.cpu},
          {"threads", config.threads},
          {"isa", std::string(kernels::isa_name(config.isa))},
          {"seconds", report.seconds},
          {"least_seconds", least ? Json(*least) : Json()},
          {"ops", sums.ops},
          {"bytes", sums.bytes},
          {"peak_ops_per_s", report.peaks.product_ops_per_s},
          {"peak_read_bytes_per_s", report.peaks.read_bytes_per_s},
          {"stats", engine::to_json(report.stats)},
          {"steps", std::move(steps)}};
}

// Room for the longest request, and no more than that is asked for.
engine::EngineConfig sized_for(const BenchThroughputArgs& args,
                               const std::vector<sched::ModelRequest>& requests) {
  engine::EngineConfig config = args.engine;
  const auto count = static_cast<int64_t>(requests.size());
  config.max_queued_requests = std::max(config.max_queued_requests, count);
  if (config.max_model_len) return config;
  int64_t longest = 1;
  for (const sched::ModelRequest& request : requests) {
    longest = std::max(longest, request.prompt_tokens + request.max_tokens);
  }
  config.max_model_len = longest;
  return config;
}

Result<std::vector<sched::ModelRequest>> lengths_of(Env& env, const BenchThroughputArgs& args) {
  constexpr int64_t kLongest = 1 << 24;
  if (!args.lengths.empty()) {
    return read_lengths(env, args.lengths, args.requests,
                        args.engine.max_model_len.value_or(kLongest));
  }
  const LengthSpec prompt = TRY(parse_length_spec("--prompt-tokens", args.prompt_tokens));
  const LengthSpec answer = TRY(parse_length_spec("--output-tokens", args.output_tokens));
  return draw_lengths(args.requests, prompt, answer, static_cast<uint64_t>(args.seed));
}

}  // namespace

FieldList bench_throughput_fields() { return kFields; }

Result<BenchThroughputArgs> make_bench_throughput_args(const std::string& model,
                                                       const FieldValues& values) {
  return BenchThroughputArgs{.model = model,
                             .revision = values.text("revision"),
                             .engine = TRY(engine::make_engine_config(values)),
                             .requests = *values.integer("requests"),
                             .seed = *values.integer("seed"),
                             .lengths = values.text("lengths"),
                             .prompt_tokens = values.text("prompt-tokens"),
                             .output_tokens = values.text("output-tokens"),
                             .json = values.is_on("json")};
}

Result<void> run_bench_throughput(Env& env, const BenchThroughputArgs& args) {
  const std::vector<sched::ModelRequest> requests = TRY(lengths_of(env, args));
  const engine::MachineFacts facts = engine::look_at_machine(env);
  const auto opened =
      TRY(engine::OpenedModel::open(env, args.model, args.revision, args.engine.dtype));
  auto config =
      TRY(engine::resolve(sized_for(args, requests), facts, opened->spec(), opened->plan()));
  const engine::Calibration prices = price_run(env, *opened, config, facts);
  print_plan(*opened, config, prices);
  const auto engine =
      TRY(engine::Engine::create(env, *opened, config, {.threads = config.threads}));

  device::CpuDevice device;
  constexpr int64_t kProbeBytes = int64_t{1} << 31;  // beyond any cache
  const PeakProbe probe =
      TRY(PeakProbe::create(device, engine->worker().pool(), kProbeBytes, config.isa));
  const TokenWork token = token_work(opened->spec(), opened->plan_for(config.placement),
                                     engine->worker().model().kv_layout());
  const MachinePeaks before = probe.measure(3);
  Report report = TRY(Runner(env, *engine, token).run(requests, static_cast<uint64_t>(args.seed)));
  report.peaks = mean_of(before, probe.measure(3));
  if (args.json) {
    fmt::print("{}\n", to_json(report, facts, config).dump(2));
  } else {
    print_table(report, facts, config);
  }
  auto closed = engine->close();
  print_outcome(*engine, *opened, prices.costs);
  return closed;
}

}  // namespace strata::apps
