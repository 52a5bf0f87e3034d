// One function per answer, in the order in which they depend on each other.
#include "engine/resolve.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/plan/nearest.h"
#include "engine/weight_demand.h"

namespace strata::engine {
namespace {

// Sequences in a batch: between these, as many as there are rows of logits in this share of the
// memory that the weights leave.
constexpr int64_t kLeastSequences = 64;
constexpr int64_t kMostSequences = 256;
constexpr int64_t kLogitsShare = 64;
// Larger prefill chunks gain nothing: f32 outputs and weights then leave the caches
// (docs/benchmarks.md).
constexpr int64_t kDefaultChunk = 512;
// RoPE tables take time and memory for every position, so a longer context is built only if asked
// for.
constexpr int64_t kDefaultLength = 1 << 20;
// Chunks whose logits are all wanted, and rows of guesses, are cut so that the logits of a step
// stay below this.
constexpr int64_t kMoreLogitsBytes = 256 << 20;
// Prompts whose logits are wanted go through in chunks of at least so many rows.
constexpr int64_t kLeastLogitRows = 64;
// What a program of this kind takes beside what it counts: code, stacks, read buffers of the
// loader, pages that the allocator keeps. Measured: docs/design/memory.md.
constexpr int64_t kBaseMargin = 48 << 20;
constexpr int64_t kThreadBytes = 1 << 20;
constexpr int64_t kScratchPerLogit = 48;  // of the sampler, a thread
constexpr int64_t kUnknownBudget = INT64_MAX / 4;
// Of the free memory, where a model that does not fit takes what there is.
constexpr int64_t kLeftFree = 16;
constexpr int64_t kLeastText = 16 << 20;
constexpr int64_t kMostText = 1 << 30;
// Beside streamed weights, where every byte more of residents is a byte less to read in a pass; the
// tries of the largest vocabularies still fit into half of it.
constexpr int64_t kMostTextOnDisk = 256 << 20;

struct Inputs {
  const EngineConfig& config;
  const MachineFacts& machine;
  const model::ModelSpec& spec;
  const model::WeightPlan& plan;
  const OpenedModel* draft;  // may be null
};

int64_t divide_up(int64_t value, int64_t by) { return (value + by - 1) / by; }

int64_t slabs_for(const memory::SlabPlan& plan, int64_t blocks) {
  int64_t slabs = 0;
  for (const int64_t frames : plan.frames_per_slab) slabs += divide_up(blocks, frames);
  return slabs;
}

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

int64_t default_sequences(const Inputs& in) {
  const int64_t memory = in.config.memory_bytes.value_or(in.machine.memory_bytes);
  const int64_t row = in.spec.vocab * static_cast<int64_t>(sizeof(float));
  const int64_t left = memory - in.plan.memory_bytes;
  return std::clamp(left / kLogitsShare / row, kLeastSequences, kMostSequences);
}

// Sequences of full length that the pool is made for: short ones share it, so a wider batch does
// not make a default pool larger.
int64_t pool_sequences(const Inputs& in, const ResolvedConfig& resolved) {
  return std::min(resolved.max_num_seqs, in.config.max_num_seqs.value_or(kLeastSequences));
}

// A step has room for a row of every sequence and for a whole chunk; what was not asked for gives
// way.
Result<void> resolve_rows(const Inputs& in, ResolvedConfig& resolved) {
  const std::optional<int64_t> asked = in.config.max_num_batched_tokens;
  const int64_t most = asked.value_or(std::numeric_limits<int64_t>::max());
  resolved.max_num_seqs = in.config.max_num_seqs.value_or(std::min(default_sequences(in), most));
  decide(resolved, "max-num-seqs", fmt::format("{}", resolved.max_num_seqs),
         in.config.max_num_seqs ? "as asked" : "64 to 256, by what their logits take");
  resolved.prefill_chunk = in.config.prefill_chunk.value_or(std::min(kDefaultChunk, most));
  decide(resolved, "prefill-chunk", fmt::format("{}", resolved.prefill_chunk),
         in.config.prefill_chunk ? "as asked" : "longer ones leave the caches");
  const int64_t least = std::max(resolved.max_num_seqs, resolved.prefill_chunk);
  if (most < least) {
    const bool chunk = most < resolved.prefill_chunk;
    return fail(Code::kInvalidArgument, "--max-num-batched-tokens", fmt::format("{}", most),
                fmt::format("at least {} {}", chunk ? "--prefill-chunk" : "--max-num-seqs", least));
  }
  resolved.max_num_batched_tokens = resolved.step_rows = asked.value_or(least);
  decide(resolved, "max-num-batched-tokens", fmt::format("{}", resolved.max_num_batched_tokens),
         asked ? "as asked" : "a chunk, or a token of every sequence");
  return {};
}

// A row of every sequence, and what else may be wanted.
void resolve_logit_rows(const Inputs& in, ResolvedConfig& resolved) {
  resolved.speculation = in.config.speculation;
  int64_t wanted = std::max(kLeastLogitRows, resolved.max_num_seqs);
  if (resolved.speculation.method != "none") {
    wanted = std::max(wanted, resolved.max_num_seqs * (1 + resolved.speculation.tokens));
    decide(resolved, "speculative", resolved.speculation.method,
           fmt::format("as asked; up to {} guesses of a sequence in a step",
                       resolved.speculation.tokens));
  }
  if (in.config.all_logits) wanted = resolved.max_num_batched_tokens;
  const int64_t most =
      std::min(kMoreLogitsBytes / (in.spec.vocab * 4), resolved.max_num_batched_tokens);
  resolved.max_logit_rows = std::max(resolved.max_num_seqs, std::min(wanted, most));
}

Result<void> resolve_counts(const Inputs& in, ResolvedConfig& resolved) {
  resolved.threads = static_cast<int>(in.config.threads.value_or(in.machine.cores));
  decide(resolved, "threads", fmt::format("{}", resolved.threads),
         in.config.threads ? "as asked" : "one per core that the process may use");
  TRY(resolve_rows(in, resolved));
  resolved.max_queued_requests = in.config.max_queued_requests;
  resolved.prefix_caching = in.config.prefix_caching && !in.config.reserve_max;
  if (in.config.prefix_caching && in.config.reserve_max) {
    decide(resolved, "prefix-caching", "off", "--kv reserve-max shares no blocks");
  }
  resolved.batching = in.config.batching;
  resolved.reserve_max = in.config.reserve_max;
  resolved.trace_steps = in.config.trace_steps;
  resolved.stats = in.config.stats;
  resolve_logit_rows(in, resolved);
  return {};
}

// Without a flag: half of what the rest leaves, so that the machine stays usable.
int64_t default_ceiling(int64_t available, int64_t fixed) {
  return fixed + (available - fixed) / 2;
}

// What is taken whatever lives where: everything but the weights and the pool.
struct Beside {
  int64_t draft = 0;  // weights of the model that guesses
  int64_t activations = 0;
  int64_t base = 0;
  int64_t text = 0;

  int64_t sum() const { return draft + activations + base + text; }
};

int64_t scratch_bytes(const Inputs& in, const ResolvedConfig& resolved) {
  return kScratchPerLogit * in.spec.vocab * resolved.threads;
}

// At most: RoPE tables grow with the longest sequence, and that with the pool.
int64_t longest_that_fits(const Inputs& in, const ResolvedConfig& resolved, int64_t most) {
  const int64_t length =
      in.config.max_model_len.value_or(std::min(in.spec.max_position, kDefaultLength));
  const auto& blocks = resolved.slab_plan.frame_bytes;
  const int64_t bytes = std::accumulate(blocks.begin(), blocks.end(), int64_t{0});
  if (most == 0) return length;
  return std::clamp(most / bytes * resolved.block_tokens, int64_t{1}, length);
}

Beside take_beside(const Inputs& in, const ResolvedConfig& resolved, int64_t most) {
  Beside beside;
  model::ModelLimits limits{.max_rows = resolved.max_num_batched_tokens,
                            .max_logit_rows = resolved.max_logit_rows,
                            .max_sequences = resolved.max_num_seqs,
                            .max_model_len = longest_that_fits(in, resolved, most),
                            .block_tokens = resolved.block_tokens};
  const auto step = [&](const model::ModelSpec& spec, tensor::ProductKind kind) {
    return step_memory(spec, kind, limits, resolved.threads).sum();
  };
  beside.activations = step(in.spec, resolved.kind) + scratch_bytes(in, resolved);
  if (in.draft != nullptr) {
    limits.max_logit_rows = resolved.max_num_seqs;
    beside.activations += step(in.draft->spec(), in.draft->expanded_plan().kind);
    beside.draft = in.draft->expanded_plan().memory_bytes;
  }
  beside.base = in.machine.process_bytes + kBaseMargin + kThreadBytes * resolved.threads;
  beside.text = std::clamp(most / 16, kLeastText, kMostText);
  return beside;
}

std::unexpected<Status> refuse_memory(const Inputs& in, const Beside& beside, int64_t weights,
                                      int64_t most) {
  const bool asked = in.config.memory_bytes.has_value();
  return fail(
      Code::kResourceLimit,
      asked ? "--memory is too little for this model" : "this model does not fit into memory",
      fmt::format("{} for weights, {} for activations and logits, {} for text, {} for the program",
                  memory::format_bytes(weights + beside.draft),
                  memory::format_bytes(beside.activations), memory::format_bytes(beside.text),
                  memory::format_bytes(beside.base)),
      fmt::format("less than the {} {}", memory::format_bytes(most),
                  asked ? "asked for" : "available"),
      "use a smaller model");
}

Result<void> check_ceiling(const Inputs& in) {
  const int64_t most = in.machine.memory_bytes;
  if (most == 0 || in.config.memory_bytes.value_or(0) <= most) return {};
  return fail(Code::kInvalidArgument, "--memory", memory::format_bytes(*in.config.memory_bytes),
              fmt::format("at most the {} of this machine, or of the cgroup that this runs in",
                          memory::format_bytes(most)),
              fmt::format("--memory {}MiB", most / (1 << 20)));
}

// Bytes that the pool should have, of which `share` is a fair part: what the sequences can fill, or
// what was asked for.
int64_t pool_wish(const Inputs& in, const ResolvedConfig& resolved, int64_t share) {
  const int64_t slab = resolved.slab_plan.slab_bytes;
  if (in.config.kv_blocks) return slab * slabs_for(resolved.slab_plan, *in.config.kv_blocks);
  const int64_t length =
      in.config.max_model_len.value_or(std::min(in.spec.max_position, kDefaultLength));
  const int64_t blocks = divide_up(length, resolved.block_tokens);
  const int64_t full = slab * slabs_for(resolved.slab_plan, blocks * pool_sequences(in, resolved));
  const int64_t one = slab * slabs_for(resolved.slab_plan, blocks);
  const int64_t wish = std::min(full, share);
  return in.config.max_model_len ? std::max(wish, one) : wish;
}

void decide_weights(const Inputs& in, ResolvedConfig& resolved) {
  const placement::PlacementPlan& plan = resolved.placement;
  resolved.io = in.config.io;
  const bool asked = in.config.weights_on != placement::WeightsOn::kAuto;
  if (!plan.streams() && !asked) return;
  const bool some = std::ranges::count(plan.resident, true) > 0;
  decide(resolved, "weights-on",
         !plan.streams() ? "ram"
         : some          ? "ram and disk"
                         : "disk",
         plan.reason);
  if (plan.ring_bytes == 0) return;
  decide(resolved, "ring-bytes", memory::format_bytes(plan.ring_bytes),
         in.config.ring_bytes ? "as asked"
                              : "three of the largest parts of layers on the disk, at least 8 MiB");
}

// Memory for the pool: what the ceiling leaves beside all else. Decides where the weights live:
// they are streamed only where the pool would otherwise be too small to be of use.
Result<int64_t> pool_budget(const Inputs& in, ResolvedConfig& resolved) {
  // What the process holds already is gone from what is free.
  const int64_t available =
      in.machine.available_bytes == 0 ? 0 : in.machine.available_bytes + in.machine.process_bytes;
  const std::optional<int64_t> asked = in.config.memory_bytes;
  Beside beside = take_beside(in, resolved, asked.value_or(available));
  const auto keep = [&] {
    resolved.text_bytes = beside.text;
    resolved.fixed_bytes = beside.sum();
    resolved.program_bytes = beside.base + scratch_bytes(in, resolved);
  };
  const WeightDemand weights(in.config, in.plan);
  if (!asked && available == 0) {  // unknown: the system refuses if it must
    keep();
    resolved.placement = TRY(weights.place(kUnknownBudget));
    decide_weights(in, resolved);
    return kUnknownBudget;
  }
  const int64_t most = asked.value_or(available);
  // Every group needs a slab.
  const int64_t pool = resolved.slab_plan.slab_bytes *
                       static_cast<int64_t>(resolved.slab_plan.frames_per_slab.size());
  const int64_t all = beside.sum() + in.plan.memory_bytes;
  const bool fits = all + std::max(pool, pool_wish(in, resolved, most / kPoolShareInRam)) <= most;
  if (!fits) beside.text = std::min(beside.text, kMostTextOnDisk);
  keep();
  const int64_t least = beside.sum() + weights.least() + pool;
  if (least > most) return refuse_memory(in, beside, weights.least(), most);

  int64_t ceiling = most;
  if (!asked) ceiling = fits ? default_ceiling(available, all) : most - most / kLeftFree;
  const int64_t room = std::max(ceiling, least) - beside.sum();
  const auto wish = [&](int64_t share) { return std::max(pool, pool_wish(in, resolved, share)); };
  const PoolShares shares{wish(room / kPoolShareInRam), wish(room / kPoolShareOnDisk)};
  resolved.placement = TRY(weights.place(fits ? room : weights.budget(room, shares)));
  decide_weights(in, resolved);
  resolved.memory_bytes = std::max(ceiling, least);
  return room - resolved.placement.bytes();
}

// Once the pool is known: a default ceiling is what is needed, not what might be.
Result<void> resolve_memory(const Inputs& in, ResolvedConfig& resolved, int64_t budget) {
  const int64_t pool = resolved.slabs * resolved.slab_plan.slab_bytes +
                       resolved.draft.slabs * resolved.draft.slab_plan.slab_bytes;
  if (resolved.memory_bytes == 0) return {};
  if (in.config.memory_bytes && pool > budget) {
    return fail(Code::kResourceLimit, "--kv-blocks", memory::format_bytes(pool),
                fmt::format("at most the {} that --memory leaves", memory::format_bytes(budget)),
                "lower --kv-blocks, or raise --memory");
  }
  if (!in.config.memory_bytes) resolved.memory_bytes += pool - budget;
  decide(resolved, "memory", memory::format_bytes(resolved.memory_bytes),
         in.config.memory_bytes
             ? "as asked"
             : fmt::format("what this takes, at most half of what the weights leave of {} free",
                           memory::format_bytes(in.machine.available_bytes)));
  return {};
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

std::vector<int64_t> block_bytes(const model::ModelSpec& spec, tensor::ProductKind kind,
                                 int64_t block_tokens) {
  std::vector<int64_t> bytes;
  for (const model::KvGroupSpec& group : model::make_kv_layout(spec, kind, block_tokens).groups) {
    bytes.push_back(group.block_bytes());
  }
  return bytes;
}

// A model that guesses has a pool for as many tokens as the model itself; both share the budget.
int64_t without_draft_pool(const Inputs& in, ResolvedConfig& resolved, int64_t budget) {
  if (in.draft == nullptr) return budget;
  const auto own = block_bytes(in.spec, resolved.kind, resolved.block_tokens);
  const auto draft =
      block_bytes(in.draft->spec(), in.draft->expanded_plan().kind, resolved.block_tokens);
  resolved.draft.slab_plan = memory::plan_slabs(draft);
  // Slabs are whole: a group may take up to one more than its share.
  const int64_t rounding = resolved.draft.slab_plan.slab_bytes * static_cast<int64_t>(draft.size());
  budget = std::max<int64_t>(0, budget - rounding);
  const double share = std::accumulate(own.begin(), own.end(), 0.0);
  return static_cast<int64_t>(static_cast<double>(budget) * share /
                              std::accumulate(draft.begin(), draft.end(), share));
}

Result<void> resolve_kv(const Inputs& in, ResolvedConfig& resolved) {
  resolved.slab_plan =
      memory::plan_slabs(block_bytes(in.spec, resolved.kind, resolved.block_tokens));
  TRY(check_model_len(in, resolved));

  const int64_t pools = TRY(pool_budget(in, resolved));
  const int64_t budget = without_draft_pool(in, resolved, pools);
  const int64_t budget_slabs = budget / resolved.slab_plan.slab_bytes;
  const int64_t usual = std::min(in.spec.max_position, kDefaultLength);
  const int64_t length = in.config.max_model_len.value_or(usual);
  const int64_t one_sequence = divide_up(length, resolved.block_tokens);
  if (in.config.kv_blocks) {
    resolved.kv_blocks = *in.config.kv_blocks;
    resolved.slabs = slabs_for(resolved.slab_plan, resolved.kv_blocks);
    decide(resolved, "kv-blocks", fmt::format("{}", resolved.kv_blocks), "as asked");
  } else {
    const int64_t full = slabs_for(resolved.slab_plan, one_sequence * pool_sequences(in, resolved));
    resolved.slabs = std::min(full, budget_slabs);
    resolved.kv_blocks = blocks_in(resolved.slab_plan, resolved.slabs);
    decide(
        resolved, "kv-blocks", fmt::format("{}", resolved.kv_blocks),
        fmt::format("{}: {}", memory::format_bytes(resolved.slabs * resolved.slab_plan.slab_bytes),
                    resolved.slabs == full
                        ? fmt::format("{} sequences at full length", pool_sequences(in, resolved))
                    : in.config.memory_bytes ? "what --memory leaves"
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
  if (in.draft != nullptr) {
    resolved.draft.slabs = slabs_for(resolved.draft.slab_plan, resolved.kv_blocks);
    decide(resolved, "draft-kv",
           memory::format_bytes(resolved.draft.slabs * resolved.draft.slab_plan.slab_bytes),
           "as many tokens as the KV pool");
    resolved.fixed_bytes += resolved.draft.slabs * resolved.draft.slab_plan.slab_bytes;
  }
  TRY(resolve_memory(in, resolved, pools));
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

StepMemory step_memory(const model::ModelSpec& spec, tensor::ProductKind kind,
                       const model::ModelLimits& limits, int threads) {
  return {.activations = model::Model::memory_for(spec, kind, limits, threads).sum(),
          .logits = limits.max_logit_rows * spec.vocab * static_cast<int64_t>(sizeof(float))};
}

namespace {

Result<ResolvedConfig> resolve_all(const Inputs& in) {
  ResolvedConfig resolved;
  resolved.asked = in.config;
  TRY(check_ceiling(in));
  resolve_dtype(in, resolved);
  TRY(resolve_isa(in, resolved));
  TRY(resolve_counts(in, resolved));
  TRY(resolve_kv(in, resolved));
  return resolved;
}

// Coded weights of which all fit into memory packed lie there packed: nothing is expanded twice.
Result<ResolvedConfig> resolve_form(const Inputs& in) {
  if (!model::is_coded(in.plan)) return resolve_all(in);
  const model::WeightPlan expanded = model::expanded_plan(in.plan);
  auto whole = resolve_all({in.config, in.machine, in.spec, expanded, in.draft});
  if (whole && !whole->placement.streams()) {
    whole->placement.expanded = true;
    decide(*whole, "coded-weights", "expanded", "all of them fit into memory so");
    return whole;
  }
  auto coded = resolve_all(in);
  if (coded) decide(*coded, "coded-weights", "coded", "expanded they do not fit into memory");
  return coded;
}

}  // namespace

Result<ResolvedConfig> resolve(const EngineConfig& config, const MachineFacts& machine,
                               const model::ModelSpec& spec, const model::WeightPlan& plan,
                               const OpenedModel* draft) {
  auto resolved = resolve_form({config, machine, spec, plan, draft});
  if (resolved || resolved.error().code != Code::kResourceLimit) return resolved;
  const auto fits = [&](const EngineConfig& other) {
    const OpenedModel* guessing = other.speculation.by_model() ? draft : nullptr;
    return resolve_all({other, machine, spec, plan, guessing}).has_value();
  };
  const auto threads = static_cast<int>(config.threads.value_or(machine.cores));
  const int64_t most = machine.memory_bytes > 0 ? machine.memory_bytes : kUnknownBudget;
  const std::string nearest = nearest_settings(config, fits, most, threads);
  if (!nearest.empty()) resolved.error().hint = nearest;
  return resolved;
}

}  // namespace strata::engine
