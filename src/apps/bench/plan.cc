// Ceilings lie evenly between the least that would do and what holds all weights, as plans find
// them. A case is measured over decode passes of all its sequences, once none is in its prompt.
#include "apps/bench/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

#include "apps/plan/table.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/engine.h"

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "pack",
     .unit = "FILE",
     .help = "the same model as a pack, which every configuration is also run with"},
    {.name = "passes",
     .kind = FieldKind::kInteger,
     .fallback = "8",
     .unit = "passes",
     .min = 2,
     .max = 1000,
     .help = "decode passes that are measured of each configuration, after one that is not"},
    {.name = "probe-again",
     .kind = FieldKind::kSwitch,
     .help = "measure disk and computing anew before each configuration"},
    {.name = "json", .kind = FieldKind::kSwitch, .help = "print JSON"},
};

constexpr int64_t kPrompt = 16;
constexpr int64_t kMib = 1 << 20;

struct Case {
  std::string model;
  double share = 0;  // of the way from the least ceiling to one that holds all weights
  int64_t sequences = 1;
  IoKind io = IoKind::kAuto;
  bool wide_ring = false;  // twice the usual one
};

// Every ceiling with one sequence and with many; at the middle one the other reader and a wide
// ring.
std::vector<Case> cases_of(const std::string& model) {
  std::vector<Case> cases;
  for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    for (const int64_t sequences : {1, 8}) cases.push_back({model, share, sequences});
  }
  cases.push_back({model, 0.5, 1, IoKind::kPread});
  cases.push_back({model, 0.5, 8, IoKind::kPread});
  cases.push_back({model, 0.5, 1, IoKind::kAuto, true});
  cases.push_back({model, 0.0, 8, IoKind::kAuto, true});
  return cases;
}

struct Outcome {
  Case what;
  int64_t memory_bytes = 0;
  int64_t streamed_bytes = 0;
  std::optional<double> predicted_s;  // a pass
  double measured_s = 0;
  double worst_tag_error = 0;  // of bytes, relative
  std::string worst_tag;

  std::optional<double> error() const {
    if (!predicted_s) return std::nullopt;
    return std::abs(*predicted_s - measured_s) / measured_s;
  }
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::string_view io_name(IoKind io) { return io == IoKind::kPread ? "pread" : "auto"; }

class PlanBench {
 public:
  PlanBench(Env& env, const BenchPlanArgs& args) : env_(env), args_(args) {}

  Result<std::vector<Outcome>> run() {
    std::vector<Outcome> outcomes;
    for (const std::string& model : {args_.session.model, args_.pack}) {
      if (model.empty()) continue;
      const auto [least, most] = TRY(find_ceilings(model));
      for (const Case& what : cases_of(model)) {
        const auto between = static_cast<int64_t>(what.share * static_cast<double>(most - least));
        outcomes.push_back(TRY(measure(what, (least + between) / kMib * kMib)));
        const Outcome& last = outcomes.back();
        log_info("{} at {}: {:.4g} s a pass", model, memory::format_bytes(last.memory_bytes),
                 last.measured_s);
      }
    }
    return outcomes;
  }

 private:
  SessionArgs session_of(const Case& what, int64_t memory_bytes) const {
    SessionArgs session = args_.session;
    session.model = what.model;
    session.engine.memory_bytes = memory_bytes;
    session.engine.io = what.io;
    // A small model fits whatever the ceiling.
    if (what.share == 0) session.engine.weights_on = placement::WeightsOn::kDisk;
    session.engine.max_num_seqs = 8;
    session.engine.max_model_len = 256;
    session.engine.prefix_caching = false;
    return session;
  }

  // The refusal of too little names the least; resolving finds where nothing streams any more.
  Result<std::pair<int64_t, int64_t>> find_ceilings(const std::string& model) {
    const SessionArgs session = session_of({.model = model, .share = 1}, 0);
    const Planned planned = TRY(plan_run(env_, without_ceiling(session)));
    const auto resolve = [&](int64_t mib) {
      engine::EngineConfig config = session.engine;
      config.memory_bytes = mib * kMib;
      return engine::resolve(config, planned.machine, planned.opened->spec(),
                             planned.opened->plan(), nullptr);
    };
    const auto bound = [&](auto enough) {
      int64_t low = 0, high = planned.machine.memory_bytes / kMib;
      while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        (enough(resolve(middle)) ? high : low) = middle;
      }
      return high * kMib;
    };
    const int64_t least = bound([](const auto& resolved) { return resolved.has_value(); });
    const int64_t most =
        bound([](const auto& resolved) { return resolved && !resolved->placement.streams(); });
    // What the process holds grows a little from case to case.
    return std::pair(least + 16 * kMib, most + 16 * kMib);
  }

  static SessionArgs without_ceiling(SessionArgs session) {
    session.engine.memory_bytes.reset();
    session.engine.max_model_len.reset();
    return session;
  }

  Result<Outcome> measure(const Case& what, int64_t memory_bytes) {
    SessionArgs session = session_of(what, memory_bytes);
    const auto probing = args_.probe_again ? engine::Probing::kAgain : engine::Probing::kMissing;
    Planned planned = TRY(plan_run(env_, session, probing));
    if (what.wide_ring && planned.config.placement.streams()) {
      session.engine.ring_bytes = 2 * planned.config.placement.ring_bytes;
      session.engine.memory_bytes = memory_bytes + planned.config.placement.ring_bytes;
      planned = TRY(plan_run(env_, session, probing));
    }
    auto engine = TRY(engine::Engine::create(env_, *planned.opened, planned.config,
                                             {.threads = planned.config.threads}));
    Outcome outcome{.what = what,
                    .memory_bytes = planned.config.memory_bytes,
                    .streamed_bytes = planned.config.placement.streamed_bytes,
                    .predicted_s = {},
                    .worst_tag = {}};
    outcome.measured_s = TRY(decode(*engine, what.sequences));
    const engine::PassPrices priced(planned.config, *planned.opened, planned.prices.costs);
    const int64_t context = what.sequences * (kPrompt + args_.passes / 2);
    const auto cost = priced.pass({.rows = what.sequences, .logit_rows = what.sequences}, context);
    if (cost) outcome.predicted_s = cost->pass_s();
    compare_bytes(*engine,
                  engine::make_forecast(planned.config, *planned.opened, planned.prices.costs),
                  outcome);
    TRY(engine->close());
    return outcome;
  }

  Result<void> submit(engine::Engine& engine, int64_t seed) {
    engine::GenerateRequest request;
    const int64_t vocab = engine.worker().model().spec().vocab;
    for (int64_t i = 0; i < kPrompt; i++) {
      request.prompt.push_back(static_cast<int32_t>((seed * 7919 + i * 104729) % vocab));
    }
    // Several more than are measured, so that all decode while any is measured.
    request.max_tokens = args_.passes + 4;
    request.sampling.temperature = 0;
    auto listener = [this, first = true](const engine::Update& update) mutable {
      if (update.token && std::exchange(first, false)) started_++;
      if (update.error) failure_ = *update.error;
    };
    TRY(engine.submit(std::move(request), std::move(listener)));
    return {};
  }

  // Mean seconds of a step in which every sequence decodes.
  Result<double> decode(engine::Engine& engine, int64_t sequences) {
    started_ = 0;
    for (int64_t i = 0; i < sequences; i++) TRY(submit(engine, i + 1));
    while (started_ < sequences && engine.step()) {
    }
    engine.step();
    std::vector<double> seconds;
    for (int64_t pass = 0; pass < args_.passes && !failure_; pass++) {
      const int64_t start = env_.now_ns();
      engine.step();
      seconds.push_back(static_cast<double>(env_.now_ns() - start) * 1e-9);
    }
    while (engine.step()) {
    }
    if (failure_) return std::unexpected(*std::exchange(failure_, {}));
    return mean(seconds);
  }

  static double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }

  // Text is reserved and not held; the program has no tag.
  static void compare_bytes(const engine::Engine& engine, const engine::Forecast& forecast,
                            Outcome& outcome) {
    const engine::EngineStats stats = engine.stats();
    for (const engine::MemoryUse& said : forecast.memory) {
      const auto held = std::ranges::find(stats.memory, said.tag, &engine::MemoryUse::tag);
      if (held == stats.memory.end() || held->tag == "text" || held->bytes == 0) continue;
      const double error = std::abs(static_cast<double>(said.bytes - held->bytes)) /
                           static_cast<double>(held->bytes);
      if (error < outcome.worst_tag_error) continue;
      outcome.worst_tag_error = error;
      outcome.worst_tag = said.tag;
    }
  }

  Env& env_;
  const BenchPlanArgs& args_;
  int64_t started_ = 0;
  std::optional<Status> failure_;
};

std::optional<double> median_error(const std::vector<Outcome>& outcomes) {
  std::vector<double> errors;
  for (const Outcome& outcome : outcomes) {
    if (const auto error = outcome.error()) errors.push_back(*error);
  }
  if (errors.empty()) return std::nullopt;
  return median(std::move(errors));
}

double worst_bytes(const std::vector<Outcome>& outcomes) {
  double worst = 0;
  for (const Outcome& outcome : outcomes) worst = std::max(worst, outcome.worst_tag_error);
  return worst;
}

void print_table(const std::vector<Outcome>& outcomes) {
  fmt::print("{:<24}{:>10}{:>10}{:>6}{:>7}{:>6}{:>12}{:>12}{:>8}{:>8}\n", "model", "memory",
             "streamed", "seqs", "io", "ring", "predicted s", "measured s", "error", "bytes");
  for (const Outcome& one : outcomes) {
    const std::string& name = one.what.model;
    const std::string shown = name.size() <= 23 ? name : ".." + name.substr(name.size() - 21);
    const auto error = one.error();
    fmt::print("{:<24}{:>10}{:>10}{:>6}{:>7}{:>6}{:>12}{:>12.5f}{:>8}{:>7.1f}%\n", shown,
               memory::format_bytes(one.memory_bytes), memory::format_bytes(one.streamed_bytes),
               one.what.sequences, io_name(one.what.io), one.what.wide_ring ? "wide" : "",
               one.predicted_s ? fmt::format("{:.5f}", *one.predicted_s) : "unknown",
               one.measured_s, error ? fmt::format("{:.1f}%", 100 * *error) : "",
               100 * one.worst_tag_error);
  }
  const auto error = median_error(outcomes);
  fmt::print(
      "{} configurations; median error of seconds a pass {}, largest error of bytes by tag "
      "{:.1f} %\n",
      outcomes.size(), error ? fmt::format("{:.1f} %", 100 * *error) : "unknown",
      100 * worst_bytes(outcomes));
}

Json to_json(const std::vector<Outcome>& outcomes) {
  Json rows = Json::array();
  for (const Outcome& one : outcomes) {
    rows.push_back({{"model", one.what.model},
                    {"memory_bytes", one.memory_bytes},
                    {"streamed_bytes", one.streamed_bytes},
                    {"sequences", one.what.sequences},
                    {"io", io_name(one.what.io)},
                    {"wide_ring", one.what.wide_ring},
                    {"predicted_s", one.predicted_s ? Json(*one.predicted_s) : Json()},
                    {"measured_s", one.measured_s},
                    {"bytes_error", one.worst_tag_error},
                    {"bytes_error_tag", one.worst_tag}});
  }
  const auto error = median_error(outcomes);
  return {{"configurations", std::move(rows)},
          {"median_error", error ? Json(*error) : Json()},
          {"worst_bytes_error", worst_bytes(outcomes)}};
}

}  // namespace

FieldList bench_plan_fields() { return kFields; }

Result<BenchPlanArgs> make_bench_plan_args(const std::string& model, const FieldValues& values) {
  BenchPlanArgs args;
  args.session.model = model;
  args.session.revision = values.text("revision");
  args.pack = values.text("pack");
  args.passes = *values.integer("passes");
  args.probe_again = values.is_on("probe-again");
  args.json = values.is_on("json");
  return args;
}

Result<void> run_bench_plan(Env& env, const BenchPlanArgs& args) {
  const std::vector<Outcome> outcomes = TRY(PlanBench(env, args).run());
  if (args.json) {
    fmt::print("{}\n", to_json(outcomes).dump(2));
  } else {
    print_table(outcomes);
  }
  return {};
}

}  // namespace strata::apps
