// From flag values to the arguments of each command's run function.
#include "apps/commands.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "apps/adjust/adjust.h"
#include "apps/batch/batch.h"
#include "apps/bench/kernels.h"
#include "apps/bench/latency.h"
#include "apps/bench/plan.h"
#include "apps/bench/schedule.h"
#include "apps/bench/serve/bench_serve.h"
#include "apps/bench/throughput.h"
#include "apps/chat/chat.h"
#include "apps/client/client_flags.h"
#include "apps/completion/completion.h"
#include "apps/config/config_show.h"
#include "apps/convert/convert.h"
#include "apps/doctor.h"
#include "apps/generate.h"
#include "apps/inspect.h"
#include "apps/inspect_live.h"
#include "apps/plan/plan.h"
#include "apps/pull/pull.h"
#include "apps/serve/keys_flags.h"
#include "apps/serve/serve.h"
#include "apps/serve/tls_flags.h"
#include "apps/standard_output.h"
#include "engine/config.h"
#include "frontend/tools/dialog.h"

namespace strata::apps {
namespace {

constexpr ConfigField repeats_field(const char* help) {
  return {.name = "repeats",
          .kind = FieldKind::kInteger,
          .fallback = "5",
          .unit = "runs",
          .min = 1,
          .max = 1000,
          .help = help};
}
constexpr ConfigField kJsonField = {
    .name = "json", .kind = FieldKind::kSwitch, .help = "print JSON"};

constexpr ConfigField kModelFields[] = {
    {.name = "revision",
     .unit = "NAME",
     .help = "branch, tag or commit of a model from the local cache"},
};
constexpr ConfigField kInspectFields[] = {
    {.name = "live",
     .kind = FieldKind::kSwitch,
     .help = "MODEL is the id of a running process: show what its engine holds and does"},
    engine::kDtypeField,
    engine::isa_field("instruction set whose kernels to name"),
    kJsonField,
};
constexpr ConfigField kDoctorFields[] = {
    engine::threads_field("threads to probe with; auto is one per core that the process may use"),
    {.name = "disk",
     .fallback = ".",
     .unit = "DIR",
     .help = "folder whose disk is probed with a temporary file"},
    kJsonField,
};
constexpr ConfigField kLatencyFields[] = {
    repeats_field("runs of each case; medians are printed"),
    {.name = "cases", .fallback = "all", .unit = "NAME[,NAME]", .help = "which cases are run"},
    kJsonField,
};

constexpr ConfigField kKernelsFields[] = {
    engine::threads_field("compute threads; auto is one per core that the process may use"),
    engine::isa_field("best instruction set to use"),
    repeats_field("runs of each op; medians are printed"),
    kJsonField,
};

Result<void> generate(Env& env, const std::string& model, const FieldValues& values) {
  return run_generate(env, TRY(make_generate_args(model, values)));
}

Result<void> batch(Env& env, const std::string& model, const FieldValues& values) {
  return run_batch(env, TRY(make_batch_args(model, values)));
}

Result<void> serve(Env& env, const std::string& model, const FieldValues& values) {
  return run_serve(env, TRY(make_serve_args(env, model, values)));
}

Result<void> chat(Env& env, const std::string& model, const FieldValues& values) {
  return run_chat(env, TRY(make_chat_args(env, model, values)));
}

Result<void> convert(Env& env, const std::string& model, const FieldValues& values) {
  return run_convert(env, TRY(make_convert_args(model, values)));
}

Result<void> plan(Env& env, const std::string& model, const FieldValues& values) {
  return run_plan(env, TRY(make_plan_args(model, values)));
}

Result<void> pull(Env& env, const std::string& model, const FieldValues& values) {
  return run_pull(env, TRY(make_pull_args(env, model, values)));
}

Result<void> inspect(Env& env, const std::string& model, const FieldValues& values) {
  if (values.is_on("live")) return run_inspect_live(env, model, values.is_on("json"));
  return run_inspect(env, {.model = model,
                           .revision = values.text("revision"),
                           .dtype = values.text("dtype"),
                           .isa = values.text("isa"),
                           .json = values.is_on("json")});
}

Result<void> adjust(Env& env, const std::string& pid, const FieldValues& values) {
  return run_adjust(
      env, {.pid = pid, .memory_bytes = values.integer("memory"), .json = values.is_on("json")});
}

Result<void> doctor(Env& env, const std::string&, const FieldValues& values) {
  return run_doctor(env, {.json = values.is_on("json"),
                          .threads = static_cast<int>(values.integer("threads").value_or(0)),
                          .disk_folder = values.text("disk")});
}

Result<void> completion(Env&, const std::string&, const FieldValues& values) {
  return write_stdout(completion_script(all_commands(), values.text("shell")));
}

Result<void> bench_latency(Env& env, const std::string& model, const FieldValues& values) {
  BenchLatencyArgs args;
  args.model = model;
  args.revision = values.text("revision");
  args.engine = TRY(engine::make_engine_config(values));
  args.repeats = static_cast<int>(values.integer("repeats").value_or(args.repeats));
  args.cases = values.text("cases");
  args.json = values.is_on("json");
  return run_bench_latency(env, args);
}

Result<void> bench_plan(Env& env, const std::string& model, const FieldValues& values) {
  return run_bench_plan(env, TRY(make_bench_plan_args(model, values)));
}

Result<void> bench_schedule(Env& env, const std::string&, const FieldValues& values) {
  return run_bench_schedule(env, make_bench_schedule_args(values));
}

Result<void> bench_throughput(Env& env, const std::string& model, const FieldValues& values) {
  return run_bench_throughput(env, TRY(make_bench_throughput_args(model, values)));
}

Result<void> bench_serve(Env& env, const std::string&, const FieldValues& values) {
  return run_bench_serve(env, TRY(make_bench_serve_args(env, values)));
}

Result<void> bench_kernels(Env& env, const std::string&, const FieldValues& values) {
  BenchKernelsArgs args;
  args.threads = static_cast<int>(values.integer("threads").value_or(args.threads));
  args.isa = values.text("isa");
  args.repeats = static_cast<int>(values.integer("repeats").value_or(args.repeats));
  args.json = values.is_on("json");
  return run_bench_kernels(env, args);
}

std::vector<Command> main_commands() {
  return {
      {"generate",
       "Generate text or token ids from prompts",
       true,
       {generate_fields(), frontend::sampling_fields(), kModelFields, engine::engine_fields()},
       generate},
      {"serve",
       "Serve a model over HTTP with OpenAI's API",
       true,
       {serve_fields(), keys_fields(), tls_fields(), files_fields(), frontend::dialog_fields(),
        kModelFields, engine::engine_fields()},
       serve},
      {"chat",
       "Talk to a model, here or on a server",
       true,
       {chat_fields(), client_fields(), frontend::sampling_fields(), kModelFields,
        engine::engine_fields()},
       chat},
      {"batch",
       "Answer a file of requests in OpenAI's batch format",
       true,
       {batch_fields(), frontend::dialog_fields(), frontend::sampling_fields(), kModelFields,
        engine::engine_fields()},
       batch,
       batch_files()},
      {"convert",
       "Write a model as one file that is read as it lies: a pack",
       true,
       {convert_fields(), kModelFields},
       convert},
      {"pull",
       "Download a model from the Hugging Face hub into the local cache",
       true,
       {pull_fields()},
       pull},
      {"plan",
       "Show what a run would take and how fast it would be, before anything is loaded",
       true,
       {plan_fields(), kModelFields, engine::engine_fields()},
       plan},
      {"inspect",
       "Show what a model is and what it would take",
       true,
       {kInspectFields, kModelFields},
       inspect},
      {"adjust",
       "Lower the memory ceiling of a running process, whose id takes MODEL's place",
       true,
       {adjust_fields()},
       adjust},
      {"doctor",
       "Show what this machine has and what speed to expect",
       false,
       {kDoctorFields},
       doctor},
      {.name = "config show",
       .summary = "Show the values that a command's flags would have, and where they come from",
       .fields = {config_show_fields()},
       .files = config_show_files(),
       .run_on_commands = show_config},
      {.name = "completion",
       .summary = "Print a script that completes commands, flags and values in a shell",
       .fields = {},
       .run = completion,
       .files = completion_files()},
  };
}

std::vector<Command> bench_commands() {
  return {
      {"bench kernels",
       "Measure the ops that carry a model's time as shares of the machine's peaks",
       false,
       {kKernelsFields},
       bench_kernels},
      {"bench plan",
       "Run many configurations of a model and hold each against its plan",
       true,
       {bench_plan_fields(), kModelFields},
       bench_plan},
      {"bench schedule",
       "Compute what continuous batching and paged KV are worth on a list of lengths",
       false,
       {bench_schedule_fields()},
       bench_schedule},
      {"bench serve",
       "Measure how fast a server with OpenAI's API answers a load",
       false,
       {bench_serve_fields(), client_fields()},
       bench_serve},
      {"bench latency",
       "Measure prefill and decode as shares of the machine's peaks",
       true,
       {kLatencyFields, kModelFields, engine::engine_fields()},
       bench_latency},
      {"bench throughput",
       "Run many requests of mixed lengths beside the least time that the machine's peaks allow",
       true,
       {bench_throughput_fields(), kModelFields, engine::engine_fields()},
       bench_throughput},
  };
}

}  // namespace

std::span<const Command> all_commands() {
  static const std::vector<Command> kCommands = [] {
    std::vector<Command> all = main_commands();
    std::ranges::move(bench_commands(), std::back_inserter(all));
    return all;
  }();
  return kCommands;
}

}  // namespace strata::apps
