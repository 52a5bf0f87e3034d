// Answers every "auto" of an EngineConfig from the machine and the model, each with a reason to
// print, and refuses before loading what cannot fit, naming the nearest setting that would. Pure:
// all facts arrive as values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/config.h"
#include "engine/machine.h"
#include "engine/opened_model.h"
#include "memory/kv_pool.h"
#include "model/forward.h"
#include "model/spec.h"
#include "model/weights.h"
#include "placement/plan.h"

namespace strata::engine {

/// One answer, for people: name, value, why.
struct Decision {
  std::string name;
  std::string value;
  std::string reason;
};

struct ResolvedConfig {
  tensor::ProductKind kind = tensor::ProductKind::kBf16;
  kernels::Isa isa = kernels::Isa::kScalar;
  int threads = 1;
  int64_t max_model_len = 0;
  int64_t max_num_seqs = 0;
  int64_t max_num_batched_tokens = 0;  // rows of a step that memory is planned for
  int64_t step_rows = 0;               // that the scheduler gives a step; at most these
  int64_t prefill_chunk = 0;
  int64_t max_queued_requests = 0;
  bool prefix_caching = true;
  sched::Batching batching = sched::Batching::kContinuous;
  bool reserve_max = false;
  std::string trace_steps;  // files; empty: none
  std::string stats;
  int64_t kv_blocks = 0;  // of each KV group that fit if the groups share evenly
  int64_t block_tokens = 32;
  int64_t max_logit_rows = 0;  // of a step
  int64_t memory_bytes = 0;    // all that the process may hold; 0 = unknown, nothing is promised
  int64_t text_bytes = 0;      // of these: prompts, answers and what is made of them
  int64_t fixed_bytes = 0;     // of these: all but weights, their ring and the KV pool
  EngineConfig asked;
  int64_t program_bytes = 0;  // and what no tag counts: the program itself, samplers' scratch
  placement::PlacementPlan placement;  // of the weights' units
  IoKind io = IoKind::kAuto;
  SpeculationConfig speculation;
  memory::SlabPlan slab_plan;
  int64_t slabs = 0;
  struct {
    memory::SlabPlan slab_plan;
    int64_t slabs = 0;
  } draft;  // the KV pool of the model that guesses, where there is one
  std::vector<Decision> decisions;
};

/// The KV pool gets one in so many bytes: where all weights are in memory it must have that much to
/// be of use; where they are streamed, more sequences in a pass are worth more than residents.
inline constexpr int64_t kPoolShareInRam = 16;
inline constexpr int64_t kPoolShareOnDisk = 4;

/// `draft`: the model that guesses (SpeculationConfig::by_model), else null.
Result<ResolvedConfig> resolve(const EngineConfig& config, const MachineFacts& machine,
                               const model::ModelSpec& spec, const model::WeightPlan& plan,
                               const OpenedModel* draft = nullptr);

/// What a model's steps take beside weights, keys and values, byte for byte, before it exists.
struct StepMemory {
  int64_t activations = 0;  // RoPE tables and the ops' workspace among them
  int64_t logits = 0;

  int64_t sum() const { return activations + logits; }
};
StepMemory step_memory(const model::ModelSpec& spec, tensor::ProductKind kind,
                       const model::ModelLimits& limits, int threads);

}  // namespace strata::engine
