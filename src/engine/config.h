// What the user may ask of the engine, field by field, and the same as a struct. "auto" is an empty
// optional: resolve.h answers it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/config_fields.h"
#include "base/read_queue.h"
#include "base/status.h"
#include "engine/ngram.h"
#include "kernels/kernel_table.h"
#include "model/weights.h"
#include "placement/plan.h"
#include "sched/scheduler.h"

namespace strata::engine {

/// Who guesses the next tokens, so that a step can yield several. Never changes a result.
struct SpeculationConfig {
  std::string method = "none";  // "none", "ngram", or a model: a folder or org/name
  int64_t tokens = 4;           // most guesses of a sequence in a step
  NgramRange lookup = {};

  bool by_model() const { return method != "none" && method != "ngram"; }
};

struct EngineConfig {
  model::WeightDtype dtype = model::WeightDtype::kAuto;
  std::optional<kernels::Isa> isa = {};
  std::optional<int64_t> threads = {};
  std::optional<int64_t> prefill_chunk = {};
  std::optional<int64_t> max_num_seqs = {};
  std::optional<int64_t> max_num_batched_tokens = {};
  std::optional<int64_t> kv_blocks = {};
  std::optional<int64_t> max_model_len = {};
  int64_t max_queued_requests = 1024;
  std::optional<int64_t> memory_bytes = {};  // all that the process may hold
  placement::WeightsOn weights_on = placement::WeightsOn::kAuto;
  std::optional<int64_t> ring_bytes = {};
  IoKind io = IoKind::kAuto;
  bool prefix_caching = true;
  SpeculationConfig speculation = {};
  sched::Batching batching = sched::Batching::kContinuous;
  bool reserve_max = false;      // a sequence takes blocks for the longest one when it starts
  std::string trace_steps = {};  // file; empty: none
  std::string stats = {};        // file; empty: none
  bool all_logits = false;       // requests will ask for the logits of every row
};

/// Fields that commands without an engine share with it, each with its own help.
constexpr ConfigField isa_field(const char* help) {
  return {.name = "isa",
          .kind = FieldKind::kChoice,
          .fallback = "auto",
          .choices = "auto|scalar|avx2|avx512|avx512_bf16|amx",
          .help = help};
}
constexpr ConfigField threads_field(const char* help) {
  return {.name = "threads",
          .kind = FieldKind::kInteger,
          .fallback = "auto",
          .unit = "threads",
          .min = 1,
          .max = 1024,
          .help = help};
}
inline constexpr ConfigField kDtypeField = {
    .name = "dtype",
    .kind = FieldKind::kChoice,
    .fallback = "auto",
    .choices = "auto|f32|f16|bf16",
    .help = "type of weights and products; auto keeps the checkpoint's"};

/// Flags of the engine: the same for every command that loads a model.
FieldList engine_fields();

/// The fields must hold engine_fields().
Result<EngineConfig> make_engine_config(const FieldValues& values);

}  // namespace strata::engine
