// The engine's field list.
#include "engine/config.h"

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
     .help = "how many sequences run in one batch; auto is 64"},
    {.name = "max-num-batched-tokens",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "tokens",
     .min = 1,
     .max = 65536,
     .help = "most tokens of all sequences in a step; auto is the larger of --prefill-chunk and "
             "--max-num-seqs"},
    {.name = "prefill-chunk",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "tokens",
     .min = 1,
     .max = 65536,
     .help = "most prompt tokens of one sequence in a step; auto is 512"},
    {.name = "kv-blocks",
     .kind = FieldKind::kInteger,
     .fallback = "auto",
     .unit = "blocks of 32 tokens",
     .min = 1,
     .max = 1 << 26,
     .help = "size of the KV pool; auto is what the sequences can fill, within half of the free "
             "memory"},
    {.name = "no-enable-prefix-caching",
     .kind = FieldKind::kSwitch,
     .help = "compute every prompt from its start, also where an earlier one began alike"},
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
  return config;
}

}  // namespace strata::engine
