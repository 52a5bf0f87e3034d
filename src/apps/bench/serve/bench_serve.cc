// Flags, contradictions between them, and what becomes of the report.
#include "apps/bench/serve/bench_serve.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "apps/bench/serve/load_page.h"
#include "apps/client/client_flags.h"

namespace strata::apps {
namespace {

constexpr uint64_t kMaxReport = 1 << 30;

constexpr ConfigField file_field(const char* name, const char* help) {
  return {.name = name, .unit = "FILE", .help = help};
}

constexpr ConfigField kFields[] = {
    {.name = "url",
     .fallback = "http://127.0.0.1:8000",
     .unit = "URL",
     .help = "the server: http://HOST:PORT, https://HOST:PORT or unix:PATH"},
    {.name = "api-key",
     .unit = "KEY",
     .help = "the server's key; other users see flags, but not STRATA_API_KEY",
     .secret = true},
    {.name = "model", .unit = "NAME", .help = "the model to ask for; default: the first listed"},
    {.name = "endpoint",
     .kind = FieldKind::kChoice,
     .fallback = "completions",
     .choices = "completions|chat",
     .help = "which route made-up prompts go to; rows of --dataset must be for the same"},
    {.name = "requests",
     .kind = FieldKind::kInteger,
     .fallback = "100",
     .unit = "requests",
     .min = 1,
     .max = 1 << 20,
     .help = "how many requests to send"},
    {.name = "concurrency",
     .kind = FieldKind::kInteger,
     .fallback = "16",
     .unit = "requests",
     .min = 1,
     .max = 16384,
     .help = "how many are under way at once: each answer makes room for the next request"},
    {.name = "rate",
     .kind = FieldKind::kNumber,
     .fallback = "none",
     .unit = "requests/s",
     .min = 1e-3,
     .max = 1e5,
     .help = "instead of --concurrency: send at this rate whatever is still under way"},
    {.name = "burstiness",
     .kind = FieldKind::kNumber,
     .fallback = "1",
     .min = 1e-2,
     .max = 1e3,
     .help =
         "with --rate, the shape of gamma-distributed gaps: 1 is Poisson, less comes in bursts, "
         "more evenly"},
    {.name = "prompt-tokens",
     .fallback = "128",
     .unit = "LENGTHS",
     .help = "tokens of prompts, about: N, LEAST:MOST (uniform) or lognormal:MEAN:SIGMA"},
    {.name = "output-tokens",
     .fallback = "64",
     .unit = "LENGTHS",
     .help = "tokens of answers, as --prompt-tokens"},
    file_field("lengths",
               "instead of both: rows of prompt tokens, a comma, answer tokens, as in "
               "bench/sharegpt_like.csv"),
    file_field("dataset",
               "instead of made-up prompts: rows of JSON with \"messages\" or \"prompt\" and "
               "whatever else a body has, or of a batch file; taken again where they are too few"),
    {.name = "stop-at-eos",
     .kind = FieldKind::kSwitch,
     .help = "let answers to made-up prompts end where the model ends them"},
    {.name = "seed",
     .kind = FieldKind::kInteger,
     .fallback = "0",
     .unit = "",
     .min = 0,
     .max = 9007199254740991,
     .help = "of lengths, words and times"},
    {.name = "slo",
     .unit = "LIMITS",
     .help = "what answers must keep to for goodput: ttft:MS, tpot:MS, e2el:MS, with commas"},
    {.name = "timeout",
     .kind = FieldKind::kInteger,
     .fallback = "600",
     .unit = "seconds",
     .min = 1,
     .max = 86400,
     .help = "an answer without a byte for so long has failed"},
    file_field("json", "write all numbers"),
    file_field("html", "write a page with plots"),
    file_field("compare", "a file of --json from an earlier run: show both side by side"),
};

std::unexpected<Status> contradiction(const char* what, const char* hint) {
  return fail(Code::kInvalidArgument, what, {}, {}, hint);
}

Result<void> check_combination(const FieldValues& values) {
  if (values.given("rate") && values.given("concurrency")) {
    return contradiction("--rate with --concurrency", "give one of them");
  }
  if (values.given("burstiness") && !values.given("rate")) {
    return contradiction("--burstiness without --rate", "it is about gaps between requests");
  }
  const bool lengths = values.given("prompt-tokens") || values.given("output-tokens");
  if (values.given("lengths") + values.given("dataset") + lengths > 1) {
    return contradiction("more than one of --lengths, --dataset and --prompt-tokens",
                         "give one of them");
  }
  return {};
}

std::string command_of(const FieldValues& values) {
  std::string text = "strata bench serve";
  const auto add = [&](const ConfigField& field) {
    if (!values.given(field.name) || field.name == "api-key") return;
    text += fmt::format(" --{}", field.name);
    if (field.kind != FieldKind::kSwitch) text += " " + values.text(field.name);
  };
  std::ranges::for_each(kFields, add);
  std::ranges::for_each(client_fields(), add);
  return text;
}

Result<Json> read_report(Env& env, const std::string& path) {
  const std::string text = TRY(env.read_small_file(path, kMaxReport));
  return parse_json_object(text, path, {.max_bytes = kMaxReport, .max_values = 50'000'000});
}

Result<void> write_file(Env& env, const std::string& path, const std::string& text) {
  const auto file = TRY(env.open_writable(path, WriteMode::kTruncate));
  TRY(file->write(text));
  return file->close();
}

void show_progress(size_t ended, int64_t requests) {
  if (::isatty(STDERR_FILENO) == 1) fmt::print(stderr, "\r{}/{} answered", ended, requests);
}

Result<void> write_report(Env& env, const BenchServeArgs& args, const Json& report) {
  if (!args.json.empty()) TRY(write_file(env, args.json, report.dump() + "\n"));
  if (!args.html.empty()) TRY(write_file(env, args.html, report_page(report, args.command)));
  return {};
}

}  // namespace

FieldList bench_serve_fields() { return kFields; }

Result<BenchServeArgs> make_bench_serve_args(Env& env, const FieldValues& values) {
  TRY(check_combination(values));
  BenchServeArgs args;
  args.plan.requests = values.integer("requests").value_or(0);
  args.plan.seed = static_cast<uint64_t>(values.integer("seed").value_or(0));
  args.plan.rate = values.number("rate");
  args.plan.burstiness = values.number("burstiness").value_or(1);
  args.plan.prompt = TRY(parse_length_spec("--prompt-tokens", values.text("prompt-tokens")));
  args.plan.answer = TRY(parse_length_spec("--output-tokens", values.text("output-tokens")));
  args.plan.lengths = values.text("lengths");
  args.plan.dataset = values.text("dataset");
  args.target.client = TRY(make_client_config(env, values));
  args.target.client.patience = std::chrono::seconds(values.integer("timeout").value_or(0));
  args.target.model = values.text("model");
  args.target.chat = values.text("endpoint") == "chat";
  args.target.ignore_eos = !values.is_on("stop-at-eos");
  if (!args.plan.rate) args.target.concurrency = values.integer("concurrency").value_or(0);
  args.slo = TRY(parse_slo(values.text("slo")));
  args.json = values.text("json");
  args.html = values.text("html");
  args.compare = values.text("compare");
  args.command = command_of(values);
  return args;
}

Result<void> run_bench_serve(Env& env, const BenchServeArgs& args) {
  const std::vector<PlannedRequest> plan = TRY(plan_load(env, args.plan));
  Json before;
  if (!args.compare.empty()) before = TRY(read_report(env, args.compare));
  const LoadRun run = TRY(
      run_load(args.target, plan, [&](size_t ended) { show_progress(ended, args.plan.requests); }));
  if (::isatty(STDERR_FILENO) == 1) fmt::print(stderr, "\n");
  Json report = report_json(run, args.slo);
  report["command"] = args.command;
  fmt::print("{}", report_table(report));
  if (!args.compare.empty()) fmt::print("\n{}", TRY(comparison_table(before, report)));
  TRY(write_report(env, args, report));
  if (run.interrupted) return fail(Code::kCancelled, "interrupted");
  if (report["completed"] == 0) return fail(Code::kUnavailable, "no request was answered");
  return {};
}

}  // namespace strata::apps
