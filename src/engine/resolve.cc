// One function per answer, in the order in which they depend on each other.
#include "engine/resolve.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace strata::engine {
namespace {

constexpr int64_t kDefaultSequences = 64;
// Larger prefill chunks gain nothing: f32 outputs and weights then leave the caches
// (docs/benchmarks.md).
constexpr int64_t kDefaultChunk = 512;
// RoPE tables take time and memory for every position, so a longer context is built only if asked
// for.
constexpr int64_t kDefaultLength = 1 << 20;
// Chunks whose logits are all wanted are cut so that the logits of a step stay below this.
constexpr int64_t kAllLogitsBytes = 256 << 20;

struct Inputs {
  const EngineConfig& config;
  const MachineFacts& machine;
  const model::ModelSpec& spec;
  const model::WeightPlan& plan;
};

int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

void decide(ResolvedConfig& resolved, std::string name, std::string value, std::string reason) {
  resolved.decisions.push_back({std::move(name), std::move(value), std::move(reason)});
}

std::string_view kind_name(tensor::ProductKind kind) {
  switch (kind) {
    case tensor::ProductKind::kBf16:
      return "bf16";
    case tensor::ProductKind::kF16:
      return "f16";
    case tensor::ProductKind::kF32:
      return "f32";
  }
  return "unknown";
}

void resolve_dtype(const Inputs& in, ResolvedConfig& resolved) {
  resolved.kind = in.plan.kind;
  const bool automatic = in.config.dtype == model::WeightDtype::kAuto;
  decide(resolved, "dtype", std::string(kind_name(resolved.kind)),
         automatic ? "the checkpoint's" : "as asked");
}

Result<void> resolve_isa(const Inputs& in, ResolvedConfig& resolved) {
  const auto& isas = in.machine.isas;
  if (!in.config.isa) {
    resolved.isa = isas.back();
    decide(resolved, "isa", std::string(kernels::isa_name(resolved.isa)), "the best of this CPU");
    return {};
  }
  if (std::ranges::find(isas, *in.config.isa) == isas.end()) {
    std::string have;
    for (const kernels::Isa isa : isas) {
      have += fmt::format("{}{}", have.empty() ? "" : ", ", kernels::isa_name(isa));
    }
    return fail(Code::kUnavailable, "--isa", std::string(kernels::isa_name(*in.config.isa)),
                "one of " + have, "this CPU or system lacks it");
  }
  resolved.isa = *in.config.isa;
  decide(resolved, "isa", std::string(kernels::isa_name(resolved.isa)), "as asked");
  return {};
}

// A step has room for a row of every sequence and for a whole chunk; what was not asked for gives
// way.
Result<void> resolve_rows(const Inputs& in, ResolvedConfig& resolved) {
  const std::optional<int64_t> asked = in.config.max_num_batched_tokens;
  const int64_t most = asked.value_or(std::numeric_limits<int64_t>::max());
  resolved.max_num_seqs = in.config.max_num_seqs.value_or(std::min(kDefaultSequences, most));
  decide(resolved, "max-num-seqs", fmt::format("{}", resolved.max_num_seqs),
         in.config.max_num_seqs ? "as asked" : "the default");
  resolved.prefill_chunk = in.config.prefill_chunk.value_or(std::min(kDefaultChunk, most));
  decide(resolved, "prefill-chunk", fmt::format("{}", resolved.prefill_chunk),
         in.config.prefill_chunk ? "as asked" : "longer ones leave the caches");
  const int64_t least = std::max(resolved.max_num_seqs, resolved.prefill_chunk);
  if (most < least) {
    const bool chunk = most < resolved.prefill_chunk;
    return fail(Code::kInvalidArgument, "--max-num-batched-tokens", fmt::format("{}", most),
                fmt::format("at least {} {}", chunk ? "--prefill-chunk" : "--max-num-seqs", least));
  }
  resolved.max_num_batched_tokens = asked.value_or(least);
  decide(resolved, "max-num-batched-tokens", fmt::format("{}", resolved.max_num_batched_tokens),
         asked ? "as asked" : "a chunk, or a token of every sequence");
  return {};
}

Result<void> resolve_counts(const Inputs& in, ResolvedConfig& resolved) {
  resolved.threads = static_cast<int>(in.config.threads.value_or(in.machine.cores));
  decide(resolved, "threads", fmt::format("{}", resolved.threads),
         in.config.threads ? "as asked" : "one per core that the process may use");
  TRY(resolve_rows(in, resolved));
  resolved.prefix_caching = in.config.prefix_caching && !in.config.reserve_max;
  if (in.config.prefix_caching && in.config.reserve_max) {
    decide(resolved, "prefix-caching", "off", "--kv reserve-max shares no blocks");
  }
  resolved.batching = in.config.batching;
  resolved.reserve_max = in.config.reserve_max;
  resolved.trace_steps = in.config.trace_steps;
  resolved.stats = in.config.stats;
  const int64_t wanted = in.config.all_logits ? kAllLogitsBytes / (in.spec.vocab * 4) : 0;
  resolved.max_logit_rows =
      std::max(resolved.max_num_seqs, std::min(wanted, resolved.max_num_batched_tokens));
  return {};
}

// Memory for the pool: half of what weights and activations leave, so that the machine stays
// usable.
Result<int64_t> pool_budget(const Inputs& in, const ResolvedConfig& resolved) {
  const int64_t activations =
      activation_estimate(in.spec, resolved.max_num_batched_tokens, resolved.max_logit_rows);
  const int64_t fixed = in.plan.memory_bytes + activations;
  if (in.machine.available_bytes == 0)
    return INT64_MAX / 4;  // unknown: the system refuses if it must
  if (fixed >= in.machine.available_bytes) {
    return fail(
        Code::kResourceLimit, "this model does not fit into memory",
        fmt::format("{} for weights and {} for activations",
                    memory::format_bytes(in.plan.memory_bytes), memory::format_bytes(activations)),
        fmt::format("less than the {} available", memory::format_bytes(in.machine.available_bytes)),
        "use a smaller model, --dtype bf16, or a smaller --prefill-chunk");
  }
  return (in.machine.available_bytes - fixed) / 2;
}

Result<void> check_model_len(const Inputs& in, ResolvedConfig& resolved) {
  const int64_t made_for = in.spec.max_position;
  if (!in.config.max_model_len || *in.config.max_model_len <= made_for) return {};
  decide(resolved, "warning", fmt::format("--max-model-len {}", *in.config.max_model_len),
         fmt::format("the model was made for {} positions; beyond them text degrades", made_for));
  return {};
}

// Blocks per group that slabs hold when each group gets the same number.
int64_t blocks_in(const memory::SlabPlan& plan, int64_t slabs) {
  int64_t low = 0, high = slabs * std::ranges::max(plan.frames_per_slab);
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    int64_t needed = 0;
    for (const int64_t frames : plan.frames_per_slab) needed += divide_up(middle, frames);
    if (needed <= slabs) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

int64_t slabs_for(const memory::SlabPlan& plan, int64_t blocks) {
  int64_t slabs = 0;
  for (const int64_t frames : plan.frames_per_slab) slabs += divide_up(blocks, frames);
  return slabs;
}

Result<void> resolve_kv(const Inputs& in, ResolvedConfig& resolved) {
  const model::KvLayout layout =
      model::make_kv_layout(in.spec, resolved.kind, resolved.block_tokens);
  std::vector<int64_t> block_bytes;
  for (const model::KvGroupSpec& group : layout.groups) block_bytes.push_back(group.block_bytes());
  resolved.slab_plan = memory::plan_slabs(block_bytes);
  TRY(check_model_len(in, resolved));

  const int64_t budget = TRY(pool_budget(in, resolved));
  const int64_t budget_slabs = budget / resolved.slab_plan.slab_bytes;
  const int64_t usual = std::min(in.spec.max_position, kDefaultLength);
  const int64_t length = in.config.max_model_len.value_or(usual);
  const int64_t one_sequence = divide_up(length, resolved.block_tokens);
  if (in.config.kv_blocks) {
    resolved.kv_blocks = *in.config.kv_blocks;
    resolved.slabs = slabs_for(resolved.slab_plan, resolved.kv_blocks);
    decide(resolved, "kv-blocks", fmt::format("{}", resolved.kv_blocks), "as asked");
  } else {
    const int64_t full = slabs_for(resolved.slab_plan, one_sequence * resolved.max_num_seqs);
    resolved.slabs = std::min(full, budget_slabs);
    resolved.kv_blocks = blocks_in(resolved.slab_plan, resolved.slabs);
    decide(
        resolved, "kv-blocks", fmt::format("{}", resolved.kv_blocks),
        fmt::format("{}: {}", memory::format_bytes(resolved.slabs * resolved.slab_plan.slab_bytes),
                    resolved.slabs == full ? "every sequence at full length"
                                           : "half of the memory left over"));
  }
  const int64_t fits = resolved.kv_blocks * resolved.block_tokens;
  if (in.config.max_model_len && length > fits) {
    return fail(Code::kResourceLimit, "--max-model-len", fmt::format("{}", length),
                fmt::format("at most {} tokens, which the KV pool holds", fits),
                "raise --kv-blocks or free memory");
  }
  if (fits == 0) {
    return fail(Code::kResourceLimit, "the KV pool has no room for a single block", {},
                fmt::format("{} free beside the weights",
                            memory::format_bytes(2 * resolved.slab_plan.slab_bytes)));
  }
  resolved.max_model_len = std::min(length, fits);
  const std::string_view reason = in.config.max_model_len ? "as asked"
                                  : length > fits         ? "what the KV pool holds"
                                  : length < in.spec.max_position
                                      ? "the most without --max-model-len"
                                      : "what the model was made for";
  decide(resolved, "max-model-len", fmt::format("{}", resolved.max_model_len), std::string(reason));
  return {};
}

}  // namespace

int64_t activation_estimate(const model::ModelSpec& spec, int64_t rows, int64_t logit_rows) {
  int64_t attention = 0, mlp = 0;
  for (const model::LayerSpec& layer : spec.layers) {
    const model::AttentionSpec& a = layer.attention;
    // q, k, v in f32, q and the output as operands of up to four bytes.
    attention = std::max(attention, (3 * a.q_heads + 2 * a.kv_heads) * a.head_dim * 4);
    mlp = std::max(mlp, layer.mlp.intermediate * 3 * 4);
  }
  const int64_t row = spec.hidden * 2 * 4 + std::max(attention, mlp);
  return rows * row + logit_rows * spec.vocab * 4;
}

Result<ResolvedConfig> resolve(const EngineConfig& config, const MachineFacts& machine,
                               const model::ModelSpec& spec, const model::WeightPlan& plan) {
  const Inputs in{config, machine, spec, plan};
  ResolvedConfig resolved;
  resolve_dtype(in, resolved);
  TRY(resolve_isa(in, resolved));
  TRY(resolve_counts(in, resolved));
  TRY(resolve_kv(in, resolved));
  return resolved;
}

}  // namespace strata::engine
