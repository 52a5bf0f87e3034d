// The forward pass: walks a spec's layers through the kernel table and only enqueues ops; no
// allocation, no read-back. Rows of many sequences come as one flat batch; where their keys and
// values live is the caller's (KvPoolView and block tables).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/compute_pool.h"
#include "base/status.h"
#include "device/exec_context.h"
#include "kernels/kernel_table.h"
#include "memory/weight_store.h"
#include "model/rope.h"
#include "model/spec.h"
#include "model/weights.h"

namespace strata::model {

/// The pool that block offsets (SequenceView::blocks) count from.
struct KvPoolView {
  std::byte* base = nullptr;
};

/// Rows of one step, sequence after sequence. `groups[g]` lists the same sequences in the same
/// order for every KV group of the layout, each with that group's block table. All memory is the
/// caller's and must live until the ops have run.
struct ForwardBatch {
  std::span<const int32_t> ids;        // [rows], each in [0, vocab)
  std::span<const int32_t> positions;  // [rows], each in [0, max_model_len)
  std::span<const std::span<const kernels::SequenceView>> groups;  // [KvLayout::groups]
  std::span<const int32_t> logit_rows;  // rows whose logits are wanted, ascending
  KvPoolView kv;
  /// Asked between units, and while one is waited for; true ends the pass with kCancelled.
  memory::StopCheck stop = {};
};

/// What a model is prepared for; activations and RoPE tables are sized by it once.
struct ModelLimits {
  int64_t max_rows = 512;        // of a batch
  int64_t max_logit_rows = 64;   // of a batch
  int64_t max_sequences = 64;    // of a batch
  int64_t max_model_len = 4096;  // positions; fixes the frequencies of dynamic RoPE
  int64_t block_tokens = 32;
};

/// What a model takes beside weights, keys and values.
struct ModelMemory {
  int64_t activations = 0;
  int64_t rope = 0;       // tables
  int64_t workspace = 0;  // ExecContext::workspace of a pool of the threads

  int64_t sum() const { return activations + rope + workspace; }
};

/// A spec with its weights, RoPE tables and activation memory. One forward at a time.
class Model {
 public:
  /// Builds the RoPE tables through `pool`; activations and tables lie in memory of `device`.
  /// `device` and `table` must outlive the model.
  static Result<Model> create(device::Device& device, ModelSpec spec, Weights weights,
                              const kernels::KernelTable& table, ComputePool& pool,
                              const ModelLimits& limits);

  const ModelSpec& spec() const { return spec_; }
  const KvLayout& kv_layout() const { return kv_layout_; }
  const ModelLimits& limits() const { return limits_; }
  tensor::ProductKind kind() const { return weights_.kind; }
  const Weights& weights() const { return weights_; }
  /// Gives the weights' memory back; no forward until there are new ones.
  void drop_weights() { weights_ = {}; }
  /// Of the same model, wherever their units lie.
  void set_weights(Weights weights);
  /// Known before a model is made, byte for byte.
  static ModelMemory memory_for(const ModelSpec& spec, tensor::ProductKind kind,
                                const ModelLimits& limits, int threads);
  ModelMemory memory(int threads) const { return memory_for(spec_, kind(), limits_, threads); }

  /// The tokens of the next forward: where the embedding is on the disk their rows are read from
  /// now on. May be left out.
  void expect(std::span<const int32_t> ids);

  /// Writes logits f32 [logit_rows][vocab] to `logits` (dense). The batch must be within the
  /// limits. Where weights are streamed it fails with what their reading fails with; logits, and
  /// keys and values of the batch's rows, then hold nothing.
  Result<void> forward(const device::ExecContext& context, const ForwardBatch& batch,
                       float* logits);

 private:
  /// Where each activation lies in activations_; see forward.cc.
  struct Buffers {
    float* residual = nullptr;
    std::byte* normed = nullptr;
    float* q = nullptr;
    float* k = nullptr;
    float* v = nullptr;
    std::byte* q_operand = nullptr;
    std::byte* attention = nullptr;
    float* gate = nullptr;
    float* up = nullptr;
    std::byte* product = nullptr;
  };
  struct LayerUnits {
    size_t attention = 0;
    size_t gate = 0;
    size_t up = 0;
    size_t down = 0;
  };

  Model() = default;
  void find_units();
  bool in_memory(size_t unit) const;
  bool waits_for(size_t unit, size_t part) const;
  Result<memory::Lease> lease(const device::ExecContext& context, const ForwardBatch& batch,
                              size_t unit);
  Result<void> allocate_buffers(device::Device& device);
  /// Lays the buffers out from `base` (null: only counts `bytes`).
  static Buffers carve_buffers(const ModelSpec& spec, tensor::ProductKind kind, int64_t rows,
                               std::byte* base, int64_t& bytes);
  Result<void> embed(const device::ExecContext& context, const ForwardBatch& batch);
  Result<void> gather(const device::ExecContext& context, const ForwardBatch& batch);
  void attention_layer(const device::ExecContext& context, const ForwardBatch& batch, int layer);
  Result<void> mlp_layer(const device::ExecContext& context, const ForwardBatch& batch, int layer);
  Result<void> gate_and_up(const device::ExecContext& context, const ForwardBatch& batch,
                           int layer);
  void head_norm(const device::ExecContext& context, const ForwardBatch& batch);
  Result<void> head(const device::ExecContext& context, const ForwardBatch& batch, float* logits);
  void norm(const device::ExecContext& context, const float* weight, int64_t first_row,
            int64_t rows, int64_t out_row);
  void project_qkv(const device::ExecContext& context, int64_t rows, int layer);
  void position_heads(const device::ExecContext& context, const ForwardBatch& batch, int layer);
  void attend(const device::ExecContext& context, const ForwardBatch& batch, int layer);
  void linear(const device::ExecContext& context, const void* x, int64_t x_stride, int64_t rows,
              std::span<const kernels::LinearPart> parts);

  ModelSpec spec_;
  Weights weights_;
  /// Of each layer, and of the head, in the plan's cut; unused where no unit is streamed.
  std::vector<LayerUnits> layer_units_;
  size_t head_unit_ = 0;
  KvLayout kv_layout_;
  ModelLimits limits_;
  const kernels::KernelTable* table_ = nullptr;
  std::vector<RopeTables> ropes_;
  device::Buffer activations_;
  Buffers buffers_;
};

}  // namespace strata::model
