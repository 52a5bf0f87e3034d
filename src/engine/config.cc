// The engine's field list.
#include "engine/config.h"

#include <fmt/core.h>

#include "sched/trace.h"

namespace strata::engine {
namespace {

// Positions above this are not exact numbers in f32, where rotation angles are computed.
constexpr double kMaxModelLen = 1 << 24;

constexpr ConfigField kFields[] = {
    kDtypeField,
    isa_field("best instruction set to use; results are the same bits with every one"),
    threads_field("compute threads; auto is one per core that the process may use"),
    {.name = "max-model-len",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "tokens",
     .min = 1,
     .max = kMaxModelLen,
     .help = "longest sequence, prompt and answer together; auto is what the model was made for, "
             "at most 1048576, as far as memory holds it"},
    {.name = "max-num-seqs",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "sequences",
     .min = 1,
     .max = 4096,
     .help = "how many sequences run in one batch; auto is 64 to 256: their logits take a 64th of "
             "what the weights leave"},
    {.name = "max-num-batched-tokens",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "tokens",
     .min = 1,
     .max = 65536,
     .help = "most tokens of all sequences in a step; auto is the larger of --prefill-chunk and "
             "--max-num-seqs, and where weights are streamed no more than reading them is worth"},
    {.name = "max-queued-requests",
     .kind = FieldKind::kInteger,
     .fallback = "1024",
     .unit = "requests",
     .min = 1,
     .max = 1 << 20,
     .help = "how many requests may wait to be run; further ones are refused as busy"},
    {.name = "prefill-chunk",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "tokens",
     .min = 1,
     .max = 65536,
     .help = "most prompt tokens of one sequence in a step; auto is 512"},
    {.name = "memory",
     .kind = FieldKind::kSize,
     .fallback = "auto",
     .min = 16 << 20,
     .help =
         "all that the process may hold: weights, KV pool, activations, logits, text and what it "
         "starts with; auto is half of what the weights leave of the free memory"},
    {.name = "weights-on",
     .kind = FieldKind::kChoice,
     .fallback = "auto",
     .choices = "auto|ram|disk",
     .help = "where weights live: auto keeps in memory what fits and streams the rest from the "
             "disk in every pass; answers are the same"},
    {.name = "ring-bytes",
     .kind = FieldKind::kSize,
     .fallback = "auto",
     .min = 2 << 20,
     .help = "memory that streamed weights are read into, ahead of their use; auto is three of the "
             "largest of them"},
    {.name = "io",
     .kind = FieldKind::kChoice,
     .fallback = "auto",
     .choices = "auto|uring|pread",
     .help = "how streamed weights are read; auto is io_uring where the system allows it"},
    {.name = "kv-blocks",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "blocks of 32 tokens",
     .min = 1,
     .max = 1 << 26,
     .help =
         "size of the KV pool; auto is what --max-num-seqs sequences of full length fill (64 where "
         "that is auto), within half of the free "
         "memory"},
    {.name = "no-enable-prefix-caching",
     .kind = FieldKind::kSwitch,
     .help = "compute every prompt from its start, also where an earlier one began alike"},
    {.name = "speculative",
     .fallback = "none",
     .unit = "none, ngram or MODEL",
     .help =
         "guess tokens so that a step can yield several: what followed the last ones where they "
         "stood before, or what a smaller model says; answers stay the same"},
    {.name = "speculative-tokens",
     .kind = FieldKind::kInteger,
     .fallback = "4",
     .unit = "tokens",
     .min = 1,
     .max = 64,
     .help = "most guesses of a sequence in a step"},
    {.name = "prompt-lookup-max",
     .kind = FieldKind::kInteger,
     .fallback = "5",
     .unit = "tokens",
     .min = 1,
     .max = 64,
     .help = "with --speculative ngram: most of the last tokens that must have stood before"},
    {.name = "prompt-lookup-min",
     .kind = FieldKind::kInteger,
     .fallback = "2",
     .unit = "tokens",
     .min = 1,
     .max = 64,
     .help = "with --speculative ngram: fewest of them"},
    {.name = "batching",
     .kind = FieldKind::kChoice,
     .fallback = "continuous",
     .choices = "continuous|static",
     .help = "continuous gives a free place away at once; with static up to --max-num-seqs start "
             "together and none joins until all of them are done"},
    {.name = "kv",
     .kind = FieldKind::kChoice,
     .fallback = "paged",
     .choices = "paged|reserve-max",
     .help = "paged takes KV blocks as sequences grow; with reserve-max each takes blocks for "
             "--max-model-len tokens when it starts, and shares none"},
    {.name = "trace-steps",
     .unit = "FILE",
     .help = "write what went into every step and what was decided, rows of JSON that "
             "strata-replay checks"},
    {.name = "stats", .unit = "FILE", .help = "write counters and times as JSON when all is done"},
};

}  // namespace

FieldList engine_fields() { return kFields; }

namespace {

Result<SpeculationConfig> make_speculation(const FieldValues& values) {
  SpeculationConfig made;
  made.method = values.text("speculative");
  made.tokens = *values.integer("speculative-tokens");
  made.lookup = {.max = *values.integer("prompt-lookup-max"),
                 .min = *values.integer("prompt-lookup-min")};
  if (made.method.empty()) {
    return fail(Code::kInvalidArgument, "--speculative", "\"\"", "none, ngram or a model");
  }
  for (const char* flag : {"speculative-tokens", "prompt-lookup-max", "prompt-lookup-min"}) {
    const bool lookup = std::string_view(flag).starts_with("prompt");
    if (!values.given(flag) || made.method == "ngram" || (!lookup && made.method != "none"))
      continue;
    return fail(Code::kInvalidArgument, fmt::format("--{}", flag),
                fmt::format("--speculative {}", made.method),
                lookup ? "--speculative ngram" : "--speculative ngram or a model");
  }
  if (made.lookup.min > made.lookup.max) {
    return fail(Code::kInvalidArgument, "--prompt-lookup-min", fmt::format("{}", made.lookup.min),
                fmt::format("at most --prompt-lookup-max {}", made.lookup.max));
  }
  return made;
}

}  // namespace

Result<EngineConfig> make_engine_config(const FieldValues& values) {
  EngineConfig config;
  config.dtype = TRY(model::parse_weight_dtype(values.text("dtype")));
  if (values.text("isa") != "auto") config.isa = TRY(kernels::parse_isa(values.text("isa")));
  config.threads = values.integer("threads");
  config.prefill_chunk = values.integer("prefill-chunk");
  config.max_num_seqs = values.integer("max-num-seqs");
  config.max_num_batched_tokens = values.integer("max-num-batched-tokens");
  config.prefix_caching = !values.is_on("no-enable-prefix-caching");
  config.batching = TRY(sched::parse_batching(values.text("batching")));
  config.reserve_max = values.text("kv") == "reserve-max";
  config.trace_steps = values.text("trace-steps");
  config.stats = values.text("stats");
  config.kv_blocks = values.integer("kv-blocks");
  config.max_model_len = values.integer("max-model-len");
  config.memory_bytes = values.integer("memory");
  config.weights_on = TRY(placement::parse_weights_on(values.text("weights-on")));
  config.ring_bytes = values.integer("ring-bytes");
  config.io = TRY(parse_io_kind(values.text("io")));
  config.max_queued_requests = *values.integer("max-queued-requests");
  config.speculation = TRY(make_speculation(values));
  return config;
}

}  // namespace strata::engine
