// Runs each case several times through Engine::submit and step(), with peaks probed before and
// after every run: on a shared machine both drift, their ratio much less. Medians are of the
// ratios.
#include "apps/bench/latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "apps/bench/work.h"
#include "apps/probes.h"
#include "apps/session.h"
#include "base/json.h"
#include "device/cpu_device.h"
#include "engine/engine.h"

namespace strata::apps {
namespace {

struct Case {
  std::string_view name;
  int64_t prompt = 0;
  int64_t generated = 0;
  int64_t sequences = 1;
};

constexpr Case kCases[] = {
    {"prefill-512", 512, 1, 1}, {"prefill-2048", 2048, 1, 1}, {"decode-1", 64, 64, 1},
    {"decode-16", 64, 64, 16},  {"decode-64", 64, 64, 64},    {"decode-4096", 4096, 64, 1},
};

// What a run did and how long that took; shares follow from the peaks around it.
struct Run {
  double seconds = 0;
  double tokens = 0;
  double ops = 0;
  double bytes = 0;
  MachinePeaks peaks;

  double tokens_per_s() const { return tokens / seconds; }
  double ops_share() const { return ops / seconds / peaks.product_ops_per_s; }
  double bytes_share() const { return bytes / seconds / peaks.read_bytes_per_s; }
};

struct CaseReport {
  Case what;
  std::vector<Run> runs;

  template <class F>
  double median(F figure) const {
    std::vector<double> values;
    for (const Run& run : runs) values.push_back(figure(run));
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  }
};

// A few sequences of one case, stepped from outside.
class CaseRunner {
 public:
  CaseRunner(Env& env, engine::Engine& engine, const TokenWork& work, int64_t vocab)
      : env_(env), engine_(engine), work_(work), vocab_(vocab) {}

  Result<Run> run(const Case& what, uint64_t seed) {
    started_ = finished_ = 0;
    for (int64_t i = 0; i < what.sequences; i++) TRY(submit(what, seed + static_cast<uint64_t>(i)));
    return what.generated == 1 ? prefill(what) : decode(what);
  }

 private:
  // Random ids: speed does not depend on them.
  Result<void> submit(const Case& what, uint64_t seed) {
    engine::GenerateRequest request;
    uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
    for (int64_t i = 0; i < what.prompt; i++) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      request.prompt.push_back(static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(vocab_)));
    }
    request.max_tokens = what.generated;
    request.sampling.temperature = 0;
    bool first = true;
    auto listener = [this, first](const engine::Update& update) mutable {
      if (update.token && first) {
        first = false;
        started_++;
      }
      if (update.finished || update.error) finished_++;
    };
    TRY(engine_.submit(std::move(request), std::move(listener)));
    return {};
  }

  Run prefill(const Case& what) {
    Run run;
    const int64_t start = env_.now_ns();
    while (engine_.step()) {
    }
    run.seconds = double(env_.now_ns() - start) * 1e-9;
    run.tokens = double(what.prompt);
    run.ops = run.tokens * work_.layer_ops + work_.attention_ops(0, run.tokens) + work_.head_ops;
    return run;
  }

  // Counts the steps in which every sequence decodes and none is still in its prompt.
  Run decode(const Case& what) {
    Run run;
    double position = double(what.prompt);
    for (bool more = true; more;) {
      const bool counts = started_ == what.sequences && finished_ == 0;
      const int64_t start = env_.now_ns();
      more = engine_.step();
      const double seconds = double(env_.now_ns() - start) * 1e-9;
      if (!counts || !more) continue;
      const double rows = double(what.sequences);
      run.seconds += seconds;
      run.tokens += rows;
      run.ops += rows * (work_.layer_ops + work_.head_ops + work_.attention_ops(position, 1));
      run.bytes += work_.weight_bytes + rows * work_.kv_bytes_per_token * (position + 1);
      position += 1;
    }
    return run;
  }

  Env& env_;
  engine::Engine& engine_;
  const TokenWork& work_;
  int64_t vocab_;
  int64_t started_ = 0;
  int64_t finished_ = 0;
};

bool chosen(const Case& what, const std::string& cases) {
  const std::string listed = fmt::format(",{},", cases), name = fmt::format(",{},", what.name);
  return cases == "all" || listed.find(name) != std::string::npos;
}

Result<void> check_cases(const std::string& cases) {
  std::string names;
  bool any = false;
  for (const Case& what : kCases) {
    names += (names.empty() ? "" : ", ") + std::string(what.name);
    any = any || chosen(what, cases);
  }
  if (!any) return fail(Code::kInvalidArgument, "--cases", cases, "all or some of " + names);
  return {};
}

Result<CaseReport> measure(const Case& what, CaseRunner& runner, const PeakProbe& probe,
                           int repeats) {
  CaseReport report{what, {}};
  TRY(runner.run(what, 1));  // warms caches, pages and clocks
  MachinePeaks before = probe.measure(1);
  for (int repeat = 0; repeat < repeats; repeat++) {
    fmt::print(stderr, "{} {}/{}\n", what.name, repeat + 1, repeats);
    Run run = TRY(runner.run(what, 1000 * static_cast<uint64_t>(repeat + 2)));
    const MachinePeaks after = probe.measure(1);
    run.peaks = mean_of(before, after);
    before = after;
    report.runs.push_back(run);
  }
  return report;
}

void print_table(const std::vector<CaseReport>& reports, const engine::MachineFacts& facts,
                 const engine::ResolvedConfig& config) {
  fmt::print("class {}; {}; {} threads; kernels {}; medians of {}\n", machine_class(facts),
             facts.cpu, config.threads, kernels::isa_name(config.isa), reports.front().runs.size());
  fmt::print("{:<14}{:>11}{:>11}{:>10}{:>9}{:>11}{:>10}\n", "case", "tokens/s", "GFLOP/s",
             "of peak", "GB/s", "of reads", "ms/step");
  for (const CaseReport& report : reports) {
    const bool prefill = report.what.generated == 1;
    fmt::print("{:<14}{:>11.1f}{:>11.1f}{:>9.1f}%", report.what.name,
               report.median([](const Run& run) { return run.tokens_per_s(); }),
               report.median([](const Run& run) { return run.ops / run.seconds / 1e9; }),
               100 * report.median([](const Run& run) { return run.ops_share(); }));
    if (prefill) {
      fmt::print("{:>9}{:>11}{:>10}\n", "", "", "");
      continue;
    }
    const double rows = double(report.what.sequences);
    fmt::print(
        "{:>9.2f}{:>10.1f}%{:>10.1f}\n",
        report.median([](const Run& run) { return run.bytes / run.seconds / 1e9; }),
        100 * report.median([](const Run& run) { return run.bytes_share(); }),
        1e3 * report.median([rows](const Run& run) { return run.seconds * rows / run.tokens; }));
  }
  const auto& all = reports.back();
  fmt::print("peaks in the last case: {:.1f} GB/s reads, {:.0f} GFLOP/s {}\n",
             all.median([](const Run& run) { return run.peaks.read_bytes_per_s / 1e9; }),
             all.median([](const Run& run) { return run.peaks.product_ops_per_s / 1e9; }),
             all.runs.front().peaks.product_unit);
}

Json to_json(const std::vector<CaseReport>& reports, const engine::MachineFacts& facts,
             const engine::ResolvedConfig& config) {
  Json cases = Json::array();
  for (const CaseReport& report : reports) {
    Json runs = Json::array();
    for (const Run& run : report.runs) {
      runs.push_back({{"seconds", run.seconds},
                      {"tokens", run.tokens},
                      {"ops", run.ops},
                      {"bytes", run.bytes},
                      {"peak_ops_per_s", run.peaks.product_ops_per_s},
                      {"peak_read_bytes_per_s", run.peaks.read_bytes_per_s}});
    }
    cases.push_back(
        {{"name", std::string(report.what.name)},
         {"tokens_per_s", report.median([](const Run& run) { return run.tokens_per_s(); })},
         {"ops_share", report.median([](const Run& run) { return run.ops_share(); })},
         {"bytes_share", report.median([](const Run& run) { return run.bytes_share(); })},
         {"runs", runs}});
  }
  return Json{{"class", machine_class(facts)},
              {"cpu", facts.cpu},
              {"threads", config.threads},
              {"isa", std::string(kernels::isa_name(config.isa))},
              {"cases", cases}};
}

engine::EngineConfig sized_for(const BenchLatencyArgs& args) {
  engine::EngineConfig config = args.engine;
  config.prefix_caching = false;  // cases that begin alike must each compute what they count
  for (const Case& what : kCases) {
    if (!chosen(what, args.cases)) continue;
    config.max_num_seqs = std::max(config.max_num_seqs.value_or(1), what.sequences);
    config.max_model_len = std::max(config.max_model_len.value_or(1), what.prompt + what.generated);
  }
  return config;
}

}  // namespace

Result<void> run_bench_latency(Env& env, const BenchLatencyArgs& args) {
  TRY(check_cases(args.cases));
  const engine::MachineFacts facts = engine::look_at_machine(env);
  const auto opened =
      TRY(engine::OpenedModel::open(env, args.model, args.revision, args.engine.dtype));
  if (args.engine.speculation.method != "none") {
    return fail(Code::kUnsupported, "--speculative", args.engine.speculation.method, "none",
                "this bench counts bytes and operations of steps that yield one token a sequence");
  }
  auto config = TRY(engine::resolve(sized_for(args), facts, opened->spec(), opened->plan()));
  const engine::Calibration prices = price_run(env, *opened, config, facts);
  print_plan(*opened, config, prices);
  model::LoadOptions load;
  load.threads = config.threads;
  const auto engine = TRY(engine::Engine::create(env, *opened, config, load));

  device::CpuDevice device;
  constexpr int64_t kProbeBytes = int64_t{1} << 31;  // beyond any cache
  const PeakProbe probe =
      TRY(PeakProbe::create(device, engine->worker().pool(), kProbeBytes, config.isa));
  const TokenWork work = token_work(opened->spec(), opened->plan_for(config.placement),
                                    engine->worker().model().kv_layout());
  CaseRunner runner(env, *engine, work, opened->spec().vocab);
  std::vector<CaseReport> reports;
  for (const Case& what : kCases) {
    if (chosen(what, args.cases))
      reports.push_back(TRY(measure(what, runner, probe, args.repeats)));
  }
  if (args.json) {
    fmt::print("{}\n", to_json(reports, facts, config).dump(2));
  } else {
    print_table(reports, facts, config);
  }
  auto closed = engine->close();
  print_outcome(*engine, *opened, prices.costs);
  return closed;
}

}  // namespace strata::apps
