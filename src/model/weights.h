// Binds a spec's tensor table to a checkpoint and loads it: every tensor goes once from the file
// into anonymous huge pages in compute layout (tensor/packed.h), converted on the way. Reports all
// faults of a checkpoint at once. Knows no families.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/compute_pool.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/pack_file.h"
#include "device/device.h"
#include "memory/weight_store.h"
#include "model/spec.h"
#include "model/units.h"
#include "tensor/exponent_coding.h"
#include "tensor/pack.h"
#include "tensor/packed.h"

namespace strata::model {

/// The `--dtype` flag. kAuto keeps the checkpoint's type (f16 stays f16; a mix of types is widened
/// to f32).
enum class WeightDtype : uint8_t { kAuto, kF32, kF16, kBF16 };

Result<WeightDtype> parse_weight_dtype(std::string_view name);

/// What a dtype asks for; nullopt for kAuto.
std::optional<tensor::ProductKind> asked_kind(WeightDtype dtype);

/// A spec's tensors found in a checkpoint or a pack and the memory that they will take. Valid while
/// that lives.
struct WeightPlan {
  struct Item {
    const TensorSpec* spec = nullptr;                // into ModelSpec::tensors
    const checkpoint::TensorEntry* entry = nullptr;  // null: the tensor lies in a pack
    int64_t coded_panel_bytes = 0;                   // tensor::PackedMatrix
  };
  std::vector<Item> items;  // in the order of ModelSpec::tensors
  UnitCut cut;              // the same tensors by unit
  tensor::ProductKind kind = tensor::ProductKind::kBf16;
  bool tied_head = false;             // the embedding's memory serves as the head
  int64_t memory_bytes = 0;           // of all units
  int64_t read_bytes = 0;             // from the files
  std::vector<std::string> warnings;  // extra tensors
};

/// Matrices that products alone read: of an embedding rows are looked up.
inline bool may_be_coded(const TensorSpec& spec) {
  return spec.is_matrix() && spec.role != TensorRole::kEmbedding;
}

/// Whether any of the plan's matrices is coded (tensor/exponent_coding.h).
bool is_coded(const WeightPlan& plan);

/// The same weights with every coded matrix packed: how they lie in memory where all of them fit
/// that way. What is read from the files stays what it was.
WeightPlan expanded_plan(const WeightPlan& plan);

/// Cuts the plan's items into units, as they are coded now.
void place_items(WeightPlan& plan);

/// Fails with kInvalidData listing up to 20 faults (missing, wrong shape, wrong dtype: tensor,
/// found, expected) at once. `spec` and `checkpoint` must outlive the plan.
Result<WeightPlan> bind_weights(const ModelSpec& spec, const checkpoint::Checkpoint& checkpoint,
                                WeightDtype dtype);

/// The same for a pack, which holds its units as they lie in memory. kInvalidArgument where `dtype`
/// is another than the pack's, kUnsupported where the pack has another layout, kInvalidData where
/// it does not hold the spec's tensors. `spec` and `pack` must outlive the plan.
Result<WeightPlan> bind_pack(const ModelSpec& spec, const checkpoint::PackFile& pack,
                             WeightDtype dtype);

/// What a pack of these weights says of itself, but for its documents; units count their offsets
/// from the first one.
checkpoint::PackContents describe_pack(const WeightPlan& plan, uint64_t fingerprint);

struct LayerWeights {
  const float* attention_norm = nullptr;  // f32 vectors; null where the spec has none
  tensor::PackedMatrix q, k, v, o;
  const float* q_bias = nullptr;
  const float* k_bias = nullptr;
  const float* v_bias = nullptr;
  const float* o_bias = nullptr;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  const float* mlp_norm = nullptr;
  tensor::PackedMatrix gate, up, down;
  const float* gate_bias = nullptr;
  const float* up_bias = nullptr;
  const float* down_bias = nullptr;
};

class EmbeddingRows;

/// Units that are not all in memory: who holds them, and where they come from. The plan must
/// outlive it.
struct StreamedUnits {
  StreamedUnits();
  ~StreamedUnits();

  std::unique_ptr<const memory::UnitSource> source;
  std::unique_ptr<memory::WeightStore> store;
  const WeightPlan* plan = nullptr;
  std::unique_ptr<EmbeddingRows> embedding;  // null: the embedding is in memory
  std::vector<float> final_norm;             // where the head is streamed
};

/// The weights of a model, each where its unit lies: in `memory`, one piece for all units, or
/// wherever `streamed` has it at the moment. Pointers stay valid when it is moved; those of a
/// streamed unit are set by leasing it (stream.h).
struct Weights {
  tensor::ProductKind kind = tensor::ProductKind::kBf16;
  tensor::PackedMatrix embedding;
  tensor::PackedMatrix head;  // the embedding's memory where tied
  const float* final_norm = nullptr;
  std::vector<LayerWeights> layers;
  device::Buffer memory;
  std::unique_ptr<StreamedUnits> streamed = {};  // null: every unit is in `memory`
};

/// Points the places of a unit's tensors (of a tied embedding also the head's) into the unit that
/// lies, or will lie, at `base`, 64-byte aligned. `weights` must have the plan's layers.
void bind_unit(Weights& weights, const WeightPlan& plan, const WeightUnit& unit,
               const std::byte* base);

struct LoadOptions {
  int threads = 2;
  /// Rewrites rows into compute layout; a faster one of the same bytes may take its place.
  void (*pack)(const tensor::PackArgs&) = tensor::pack_rows;
  /// Called now and then from a loading thread, never by two at once: bytes read so far and in all.
  std::function<void(int64_t done, int64_t total)> progress = {};
  /// Expands coded panels; as `pack`.
  tensor::ExpandFn expand = tensor::expand_chunks;
};

/// A unit and where it shall lie, 64-byte aligned, with room for its `bytes`.
struct UnitPlace {
  const WeightUnit* unit = nullptr;
  std::byte* base = nullptr;
};

/// Reads units into memory, re-laid; gaps between tensors stay as they are. `options.threads` is
/// the pool's. Needs a few hundred KiB per thread. Failures name file, tensor and offset.
Result<void> load_units(const checkpoint::Checkpoint& checkpoint, const WeightPlan& plan,
                        std::span<const UnitPlace> places, ComputePool& pool,
                        const LoadOptions& options = {});

/// Where a model's weights are read from: one of the two, which must outlive it.
struct WeightFiles {
  WeightFiles(const checkpoint::Checkpoint& folder) : checkpoint(&folder) {}
  WeightFiles(const checkpoint::PackFile& file) : pack(&file) {}

  const checkpoint::Checkpoint* checkpoint = nullptr;
  const checkpoint::PackFile* pack = nullptr;
};

/// Reads every tensor into memory of `device`, which must outlive the weights. `plan`: that of the
/// files, or expanded_plan() of it. Needs the weights' memory and a few MB per thread. Failures
/// name file, tensor and offset.
Result<Weights> load_weights(device::Device& device, const ModelSpec& spec,
                             const WeightFiles& files, const WeightPlan& plan,
                             const LoadOptions& options = {});

}  // namespace strata::model
