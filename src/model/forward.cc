// See forward.h. Activations lie in one piece of memory: the residual stream and the normed operand
// stay, the buffers of the attention half and of the MLP half of a layer share their place, since
// they are never alive together.
#include "model/forward.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/check.h"
#include "model/embedding_rows.h"
#include "model/rope.h"
#include "model/stream.h"

namespace strata::model {
namespace {

using tensor::round_up;

struct Widths {
  int64_t q = 0;  // columns, the widest layer's
  int64_t kv = 0;
  int64_t q_operand = 0;  // padded heads
  int64_t intermediate = 0;
};

Widths widest(const ModelSpec& spec) {
  Widths widths;
  for (const LayerSpec& layer : spec.layers) {
    const AttentionSpec& a = layer.attention;
    widths.q = std::max(widths.q, a.q_heads * a.head_dim);
    widths.kv = std::max(widths.kv, a.kv_heads * a.head_dim);
    widths.q_operand = std::max(widths.q_operand, a.q_heads * round_up(a.head_dim, tensor::kChunk));
    widths.intermediate = std::max(widths.intermediate, layer.mlp.intermediate);
  }
  return widths;
}

// Hands out 64-byte aligned pieces; counts only, until a base is given.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}
  std::byte* take(int64_t bytes) {
    std::byte* piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += round_up(bytes, 64);
    high_ = std::max(high_, used_);
    return piece;
  }
  float* floats(int64_t count) { return reinterpret_cast<float*>(take(count * 4)); }
  int64_t used() const { return used_; }
  void rewind(int64_t used) { used_ = used; }
  int64_t high() const { return high_; }

 private:
  std::byte* base_;
  int64_t used_ = 0;
  int64_t high_ = 0;
};

size_t index(tensor::ProductKind kind) { return static_cast<size_t>(kind); }

}  // namespace

Result<Model> Model::create(device::Device& device, ModelSpec spec, Weights weights,
                            const kernels::KernelTable& table, ComputePool& pool,
                            const ModelLimits& limits) {
  Model model;
  model.spec_ = std::move(spec);
  model.weights_ = std::move(weights);
  model.limits_ = limits;
  model.table_ = &table;
  model.find_units();
  model.kv_layout_ = make_kv_layout(model.spec_, model.kind(), limits.block_tokens);
  for (const RopeSpec& rope : model.spec_.ropes) {
    model.ropes_.push_back(TRY(build_rope_tables(device, rope, limits.max_model_len, pool)));
  }
  TRY(model.allocate_buffers(device));
  return model;
}

void Model::set_weights(Weights weights) {
  weights_ = std::move(weights);
  find_units();
}

void Model::find_units() {
  layer_units_.resize(spec_.layers.size());
  if (weights_.streamed == nullptr) return;
  const std::vector<WeightUnit>& units = weights_.streamed->plan->cut.units;
  for (size_t unit = 0; unit < units.size(); unit++) {
    const auto layer = static_cast<size_t>(units[unit].layer);
    switch (units[unit].kind) {
      case UnitKind::kEmbedding:
        break;
      case UnitKind::kAttention:
        layer_units_[layer].attention = unit;
        break;
      case UnitKind::kGate:
        layer_units_[layer].gate = unit;
        break;
      case UnitKind::kUp:
        layer_units_[layer].up = unit;
        break;
      case UnitKind::kDown:
        layer_units_[layer].down = unit;
        break;
      case UnitKind::kHead:
        head_unit_ = unit;
        break;
    }
  }
  CHECK(weights_.embedding.data != nullptr || weights_.streamed->embedding != nullptr,
        "the embedding is in memory, or its rows are gathered");
}

void Model::expect(std::span<const int32_t> ids) {
  if (weights_.embedding.data == nullptr) weights_.streamed->embedding->ask(ids);
}

bool Model::in_memory(size_t unit) const {
  return weights_.streamed == nullptr || weights_.streamed->store->resident(unit);
}

bool Model::waits_for(size_t unit, size_t part) const {
  return weights_.streamed != nullptr && !weights_.streamed->store->ready(unit, part);
}

// Threads that would spin for work sleep while the disk is waited for.
Result<memory::Lease> Model::lease(const device::ExecContext& context, const ForwardBatch& batch,
                                   size_t unit) {
  if (batch.stop && batch.stop(true)) return fail(Code::kCancelled, "stopped between units");
  if (!waits_for(unit, 0)) return lease_unit(weights_, unit, batch.stop);
  const SpinPause pause(*context.pool);
  return lease_unit(weights_, unit, batch.stop);
}

ModelMemory Model::memory_for(const ModelSpec& spec, tensor::ProductKind kind,
                              const ModelLimits& limits, int threads) {
  ModelMemory memory;
  carve_buffers(spec, kind, limits.max_rows, nullptr, memory.activations);
  for (const RopeSpec& rope : spec.ropes) {
    memory.rope += rope_table_bytes(rope, limits.max_model_len);
  }
  kernels::WorkspaceLimits workspace{.rows = limits.max_rows,
                                     .k = spec.hidden,
                                     .context = limits.max_model_len,
                                     .sequences = limits.max_sequences,
                                     .threads = threads};
  for (const LayerSpec& layer : spec.layers) {
    const AttentionSpec& a = layer.attention;
    workspace.k = std::max({workspace.k, a.q_heads * a.head_dim, layer.mlp.intermediate});
    workspace.q_heads = std::max(workspace.q_heads, a.q_heads);
    workspace.head_dim = std::max(workspace.head_dim, a.head_dim);
  }
  memory.workspace = kernels::workspace_bytes(workspace);
  return memory;
}

Model::Buffers Model::carve_buffers(const ModelSpec& spec, tensor::ProductKind kind, int64_t rows,
                                    std::byte* base, int64_t& bytes) {
  const Widths widths = widest(spec);
  const int64_t operand = tensor::operand_bytes(kind);
  Carver carver(base);
  Buffers b;
  b.residual = carver.floats(rows * spec.hidden);
  b.normed = carver.take(rows * round_up(spec.hidden, tensor::kChunk) * operand);
  const int64_t shared = carver.used();
  b.q = carver.floats(rows * widths.q);
  b.k = carver.floats(rows * widths.kv);
  b.v = carver.floats(rows * widths.kv);
  b.q_operand = carver.take(rows * widths.q_operand * operand);
  b.attention = carver.take(rows * round_up(widths.q, tensor::kChunk) * operand);
  carver.rewind(shared);
  b.gate = carver.floats(rows * widths.intermediate);
  b.up = carver.floats(rows * widths.intermediate);
  b.product = carver.take(rows * round_up(widths.intermediate, tensor::kChunk) * operand);
  bytes = carver.high();
  return b;
}

Result<void> Model::allocate_buffers(device::Device& device) {
  int64_t bytes = 0;
  carve_buffers(spec_, kind(), limits_.max_rows, nullptr, bytes);
  activations_ = TRY(device.allocate(bytes));
  buffers_ = carve_buffers(spec_, kind(), limits_.max_rows, activations_.data(), bytes);
  return {};
}

Result<void> Model::forward(const device::ExecContext& context, const ForwardBatch& batch,
                            float* logits) {
  const auto rows = static_cast<int64_t>(batch.ids.size());
  CHECK(rows > 0 && rows <= limits_.max_rows, "a batch must fit the activations");
  CHECK(batch.positions.size() == batch.ids.size(), "one position per row");
  CHECK(batch.groups.size() == kv_layout_.groups.size(), "one list of sequences per KV group");
  CHECK(static_cast<int64_t>(batch.logit_rows.size()) <= limits_.max_logit_rows,
        "more logit rows than prepared for");
  TRY(embed(context, batch));
  for (size_t layer = 0; layer < spec_.layers.size(); layer++) {
    {
      const memory::Lease unit = TRY(lease(context, batch, layer_units_[layer].attention));
      attention_layer(context, batch, static_cast<int>(layer));
    }
    TRY(mlp_layer(context, batch, static_cast<int>(layer)));
  }
  if (batch.logit_rows.empty()) return {};
  return head(context, batch, logits);
}

Result<void> Model::embed(const device::ExecContext& context, const ForwardBatch& batch) {
  if (weights_.embedding.data == nullptr) return gather(context, batch);
  table_->embed[index(kind())](context, {.table = weights_.embedding,
                                         .ids = batch.ids.data(),
                                         .rows = static_cast<int64_t>(batch.ids.size()),
                                         .out = buffers_.residual,
                                         .out_stride = spec_.hidden});
  return {};
}

Result<void> Model::gather(const device::ExecContext& context, const ForwardBatch& batch) {
  const auto lookup = [&](const tensor::PackedMatrix& panel, int32_t row, size_t to) {
    table_->embed[index(kind())](
        context, {.table = panel,
                  .ids = &row,
                  .rows = 1,
                  .out = buffers_.residual + static_cast<int64_t>(to) * spec_.hidden,
                  .out_stride = spec_.hidden});
  };
  const SpinPause pause(*context.pool);
  return weights_.streamed->embedding->gather(batch.ids, lookup, batch.stop);
}

void Model::attention_layer(const device::ExecContext& context, const ForwardBatch& batch,
                            int layer) {
  const auto rows = static_cast<int64_t>(batch.ids.size());
  const AttentionSpec& a = spec_.layers[static_cast<size_t>(layer)].attention;
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  norm(context, w.attention_norm, 0, rows, 0);
  project_qkv(context, rows, layer);
  position_heads(context, batch, layer);
  attend(context, batch, layer);
  const std::array parts = {
      kernels::LinearPart{w.o, w.o_bias, buffers_.residual, spec_.hidden, /*accumulate=*/true}};
  linear(context, buffers_.attention, round_up(a.q_heads * a.head_dim, tensor::kChunk), rows,
         parts);
}

void Model::project_qkv(const device::ExecContext& context, int64_t rows, int layer) {
  const AttentionSpec& a = spec_.layers[static_cast<size_t>(layer)].attention;
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const int64_t q_cols = a.q_heads * a.head_dim, kv_cols = a.kv_heads * a.head_dim;
  const std::array parts = {kernels::LinearPart{w.q, w.q_bias, buffers_.q, q_cols},
                            kernels::LinearPart{w.k, w.k_bias, buffers_.k, kv_cols},
                            kernels::LinearPart{w.v, w.v_bias, buffers_.v, kv_cols}};
  linear(context, buffers_.normed, round_up(spec_.hidden, tensor::kChunk), rows, parts);
}

void Model::position_heads(const device::ExecContext& context, const ForwardBatch& batch,
                           int layer) {
  const AttentionSpec& a = spec_.layers[static_cast<size_t>(layer)].attention;
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const RopeTables& tables = ropes_[static_cast<size_t>(a.rope)];
  const auto rows = static_cast<int64_t>(batch.ids.size());
  const auto place = [&](float* x, int64_t heads, const float* norm_weight) {
    const int64_t stride = heads * a.head_dim;
    if (a.qk_norm)
      table_->head_norm(context, {x, stride, norm_weight, spec_.norm_eps, rows, heads, a.head_dim});
    table_->rope(context, {x, stride, rows, heads, a.head_dim, tables.rotary_dim, tables.cos,
                           tables.sin, batch.positions.data()});
  };
  place(buffers_.q, a.q_heads, w.q_norm);
  place(buffers_.k, a.kv_heads, w.k_norm);
}

void Model::attend(const device::ExecContext& context, const ForwardBatch& batch, int layer) {
  const AttentionSpec& a = spec_.layers[static_cast<size_t>(layer)].attention;
  const KvGroupSpec& group = kv_layout_.groups[static_cast<size_t>(a.kv_group)];
  const auto sequences = batch.groups[static_cast<size_t>(a.kv_group)];
  const kernels::KvLayer kv{group.shape, batch.kv.base, group.layer_offset(a.kv_index)};
  const int64_t q_cols = a.q_heads * a.head_dim, kv_cols = a.kv_heads * a.head_dim;
  table_->kv_write[index(kind())](context,
                                  {kv, buffers_.k, kv_cols, buffers_.v, kv_cols, sequences});
  table_->query_operand[index(kind())](context, {.x = buffers_.q,
                                                 .x_stride = q_cols,
                                                 .rows = static_cast<int64_t>(batch.ids.size()),
                                                 .heads = a.q_heads,
                                                 .head_dim = a.head_dim,
                                                 .out = buffers_.q_operand});
  // The scale is head_dim^-0.5 rounded once: Transformers multiplies the scores by that double as a
  // float32.
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(a.head_dim)));
  table_->attention[index(kind())](context, {.kv = kv,
                                             .q_heads = a.q_heads,
                                             .q = buffers_.q_operand,
                                             .out = buffers_.attention,
                                             .out_stride = round_up(q_cols, tensor::kChunk),
                                             .scale = scale,
                                             .window = a.window,
                                             .sequences = sequences});
}

// One op where both matrices are in memory. Otherwise the gate's place in the ring is given back
// before the other one is waited for: a ring may hold no more than one unit.
Result<void> Model::gate_and_up(const device::ExecContext& context, const ForwardBatch& batch,
                                int layer) {
  const LayerUnits& units = layer_units_[static_cast<size_t>(layer)];
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const auto rows = static_cast<int64_t>(batch.ids.size());
  const int64_t cols = spec_.layers[static_cast<size_t>(layer)].mlp.intermediate;
  const int64_t stride = round_up(spec_.hidden, tensor::kChunk);
  std::array<kernels::LinearPart, 2> parts;
  const std::span both = parts;
  const bool apart = !in_memory(units.gate) || !in_memory(units.up);
  {
    const memory::Lease unit = TRY(lease(context, batch, units.gate));
    norm(context, w.mlp_norm, 0, rows, 0);
    parts[0] = {w.gate, w.gate_bias, buffers_.gate, cols};
    if (apart) linear(context, buffers_.normed, stride, rows, both.first(1));
  }
  const memory::Lease unit = TRY(lease(context, batch, units.up));
  parts[1] = {w.up, w.up_bias, buffers_.up, cols};
  linear(context, buffers_.normed, stride, rows, apart ? both.last(1) : both);
  return {};
}

Result<void> Model::mlp_layer(const device::ExecContext& context, const ForwardBatch& batch,
                              int layer) {
  const auto rows = static_cast<int64_t>(batch.ids.size());
  const int64_t cols = spec_.layers[static_cast<size_t>(layer)].mlp.intermediate;
  const int64_t operand_stride = round_up(cols, tensor::kChunk);
  TRY(gate_and_up(context, batch, layer));
  table_->silu_mul[index(kind())](context, {.gate = buffers_.gate,
                                            .up = buffers_.up,
                                            .stride = cols,
                                            .rows = rows,
                                            .cols = cols,
                                            .out = buffers_.product,
                                            .out_stride = operand_stride});
  const LayerWeights& w = weights_.layers[static_cast<size_t>(layer)];
  const memory::Lease unit =
      TRY(lease(context, batch, layer_units_[static_cast<size_t>(layer)].down));
  const std::array out = {kernels::LinearPart{w.down, w.down_bias, buffers_.residual, spec_.hidden,
                                              /*accumulate=*/true}};
  linear(context, buffers_.product, operand_stride, rows, out);
  return {};
}

// Rows without wanted logits go through neither the final norm nor the head: each run of
// neighbouring wanted rows is one norm.
void Model::head_norm(const device::ExecContext& context, const ForwardBatch& batch) {
  const auto wanted = batch.logit_rows;
  for (size_t first = 0; first < wanted.size();) {
    size_t end = first + 1;
    while (end < wanted.size() && wanted[end] == wanted[end - 1] + 1) end++;
    norm(context, weights_.final_norm, wanted[first], static_cast<int64_t>(end - first),
         static_cast<int64_t>(first));
    first = end;
  }
}

// A part of a streamed head gives some columns of the logits.
Result<void> Model::head(const device::ExecContext& context, const ForwardBatch& batch,
                         float* logits) {
  head_norm(context, batch);
  for (size_t part = 0; part < head_parts(weights_); part++) {
    if (batch.stop && batch.stop(true)) return fail(Code::kCancelled, "stopped between units");
    std::optional<SpinPause> pause;
    if (waits_for(head_unit_, part)) pause.emplace(*context.pool);
    const LeasedHead head = TRY(lease_head(weights_, part, batch.stop));
    pause.reset();
    const std::array parts = {
        kernels::LinearPart{head.matrix, nullptr, logits + head.first_row, spec_.vocab}};
    linear(context, buffers_.normed, round_up(spec_.hidden, tensor::kChunk),
           static_cast<int64_t>(batch.logit_rows.size()), parts);
  }
  return {};
}

void Model::norm(const device::ExecContext& context, const float* weight, int64_t first_row,
                 int64_t rows, int64_t out_row) {
  const int64_t stride = round_up(spec_.hidden, tensor::kChunk);
  table_->rms_norm[index(kind())](
      context, {.x = buffers_.residual + first_row * spec_.hidden,
                .x_stride = spec_.hidden,
                .weight = weight,
                .eps = spec_.norm_eps,
                .rows = rows,
                .cols = spec_.hidden,
                .out = buffers_.normed + out_row * stride * tensor::operand_bytes(kind()),
                .out_stride = stride});
}

void Model::linear(const device::ExecContext& context, const void* x, int64_t x_stride,
                   int64_t rows, std::span<const kernels::LinearPart> parts) {
  table_->linear[index(kind())](context, {x, x_stride, rows, parts});
}

}  // namespace strata::model
