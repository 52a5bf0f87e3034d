// The loading half of weights.h: threads claim pieces of tensors (a few panels of a matrix, or one
// vector), read them into a small staging buffer that stays in their L2 cache, and pack from there
// into the final place. Memory is touched once; the kernel's zeroing of each huge page is the only
// other pass over it.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "base/compute_pool.h"
#include "model/weights.h"
#include "tensor/dtype.h"
#include "tensor/float_bits.h"

namespace strata::model {
namespace {

using checkpoint::Checkpoint;
using tensor::DType;

// Bytes of a staging buffer where one panel is smaller: fits an L2 cache beside the destination
// lines, and is large enough that a system call's fixed cost does not show.
constexpr int64_t kStagingBytes = 256 << 10;
// The progress callback runs at most once for so many bytes.
constexpr int64_t kProgressBytes = 32 << 20;

struct Piece {
  const WeightPlan::Item* item = nullptr;
  int64_t first_row = 0;
  int64_t rows = 0;
};

int64_t row_bytes(const WeightPlan::Item& item) {
  return std::max<int64_t>(item.spec->cols, 1) *
         static_cast<int64_t>(tensor::dtype_bytes(item.entry->dtype));
}

// Pieces in file order, so that both threads together read each file from front to back.
std::vector<Piece> cut_pieces(const WeightPlan& plan) {
  std::vector<Piece> pieces;
  for (const auto& item : plan.items) {
    const int64_t panels = std::max<int64_t>(1, kStagingBytes / (row_bytes(item) * tensor::kPanel));
    const int64_t step = item.spec->is_matrix() ? panels * tensor::kPanel : item.spec->rows;
    for (int64_t row = 0; row < item.spec->rows; row += step) {
      pieces.push_back({&item, row, std::min(step, item.spec->rows - row)});
    }
  }
  std::ranges::stable_sort(pieces, {}, [](const Piece& piece) {
    return std::pair(piece.item->entry->file, piece.item->entry->offset);
  });
  return pieces;
}

float widen(const std::byte* src, DType dtype, int64_t index) {
  switch (dtype) {
    case DType::kF16:
      return tensor::to_float(reinterpret_cast<const tensor::F16*>(src)[index]);
    case DType::kBF16:
      return tensor::to_float(reinterpret_cast<const tensor::Bf16*>(src)[index]);
    default:
      return reinterpret_cast<const float*>(src)[index];
  }
}

// The greatest finite f16; anything from halfway to the next power of two would become infinity.
constexpr float kF16Limit = 65520;

// True where a finite value of the piece would be infinite as f16. A --dtype f16 that loses a
// weight must not pass silently.
bool overflows_f16(const std::byte* src, DType dtype, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const float value = std::abs(widen(src, dtype, i));
    if (value >= kF16Limit && std::isfinite(value)) return true;
  }
  return false;
}

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const WeightPlan& plan, const LoadOptions& options,
         std::byte* memory)
      : checkpoint_(checkpoint),
        plan_(plan),
        options_(options),
        memory_(memory),
        pieces_(cut_pieces(plan)) {}

  Result<void> run(ComputePool& pool) {
    staging_.resize(static_cast<size_t>(pool.threads()));
    pool.run(static_cast<int64_t>(pieces_.size()), [&](int64_t piece, int thread) {
      load(pieces_[static_cast<size_t>(piece)], staging_[static_cast<size_t>(thread)]);
    });
    if (failure_) return std::unexpected(std::move(*failure_));
    report(plan_.read_bytes);
    return {};
  }

 private:
  void load(const Piece& piece, std::vector<std::byte>& staging) {
    if (stop_.load(std::memory_order_relaxed)) return;
    const int64_t row_size = row_bytes(*piece.item);
    const auto size = static_cast<size_t>(piece.rows * row_size);
    if (staging.size() < size) staging.resize(size);
    const auto read =
        checkpoint_.read(*piece.item->entry, static_cast<uint64_t>(piece.first_row * row_size),
                         std::span(staging).first(size));
    if (!read) return stop(read.error());
    if (plan_.kind == tensor::ProductKind::kF16 && overflows(piece, staging.data())) {
      return stop({Code::kInvalidData,
                   piece.item->spec->name + ": a weight beyond 65504 does not fit f16",
                   {},
                   {},
                   "use --dtype bf16 or f32"});
    }
    place(piece, staging.data());
    const int64_t done = done_.fetch_add(static_cast<int64_t>(size)) + static_cast<int64_t>(size);
    const bool due = done / kProgressBytes != (done - static_cast<int64_t>(size)) / kProgressBytes;
    if (due) report(done);
  }

  static bool overflows(const Piece& piece, const std::byte* src) {
    const DType dtype = piece.item->entry->dtype;
    if (dtype == DType::kF16 || !piece.item->spec->is_matrix()) return false;
    return overflows_f16(src, dtype, piece.rows * piece.item->spec->cols);
  }

  void place(const Piece& piece, const std::byte* src) const {
    const TensorSpec& spec = *piece.item->spec;
    const DType dtype = piece.item->entry->dtype;
    std::byte* dst = memory_ + piece.item->offset;
    if (!spec.is_matrix()) {
      for (int64_t i = 0; i < spec.rows; i++)
        reinterpret_cast<float*>(dst)[i] = widen(src, dtype, i);
      return;
    }
    options_.pack({.kind = plan_.kind,
                   .src_dtype = dtype,
                   .src = src,
                   .first_row = piece.first_row,
                   .rows = piece.rows,
                   .k = spec.cols,
                   .dst = dst});
  }

  void stop(const Status& status) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = status;
    stop_ = true;
  }

  void report(int64_t done) {
    if (!options_.progress) return;
    const std::lock_guard lock(mutex_);
    reported_ = std::max(reported_, done);  // two threads may arrive here in either order
    options_.progress(reported_, plan_.read_bytes);
  }

  const Checkpoint& checkpoint_;
  const WeightPlan& plan_;
  const LoadOptions& options_;
  std::byte* memory_;
  std::vector<Piece> pieces_;
  std::vector<std::vector<std::byte>> staging_;  // one per thread
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> done_ = 0;
  std::mutex mutex_;
  int64_t reported_ = 0;
  std::optional<Status> failure_;
};

// Where a role's pointer stands; exactly one of the two is set.
struct Place {
  tensor::PackedMatrix* matrix = nullptr;
  const float** vector = nullptr;
};

Place find_place(Weights& weights, const TensorSpec& spec) {
  LayerWeights* layer = spec.layer < 0 ? nullptr : &weights.layers[static_cast<size_t>(spec.layer)];
  switch (spec.role) {
    case TensorRole::kEmbedding:
      return {.matrix = &weights.embedding};
    case TensorRole::kHead:
      return {.matrix = &weights.head};
    case TensorRole::kFinalNorm:
      return {.vector = &weights.final_norm};
    case TensorRole::kAttentionNorm:
      return {.vector = &layer->attention_norm};
    case TensorRole::kQuery:
      return {.matrix = &layer->q};
    case TensorRole::kQueryBias:
      return {.vector = &layer->q_bias};
    case TensorRole::kQueryNorm:
      return {.vector = &layer->q_norm};
    case TensorRole::kKey:
      return {.matrix = &layer->k};
    case TensorRole::kKeyBias:
      return {.vector = &layer->k_bias};
    case TensorRole::kKeyNorm:
      return {.vector = &layer->k_norm};
    case TensorRole::kValue:
      return {.matrix = &layer->v};
    case TensorRole::kValueBias:
      return {.vector = &layer->v_bias};
    case TensorRole::kOutput:
      return {.matrix = &layer->o};
    case TensorRole::kOutputBias:
      return {.vector = &layer->o_bias};
    case TensorRole::kMlpNorm:
      return {.vector = &layer->mlp_norm};
    case TensorRole::kGate:
      return {.matrix = &layer->gate};
    case TensorRole::kGateBias:
      return {.vector = &layer->gate_bias};
    case TensorRole::kUp:
      return {.matrix = &layer->up};
    case TensorRole::kUpBias:
      return {.vector = &layer->up_bias};
    case TensorRole::kDown:
      return {.matrix = &layer->down};
    case TensorRole::kDownBias:
      return {.vector = &layer->down_bias};
  }
  return {};
}

void point_at(Weights& weights, const WeightPlan& plan) {
  for (const auto& item : plan.items) {
    const Place place = find_place(weights, *item.spec);
    const std::byte* data = weights.memory.data() + item.offset;
    if (place.matrix != nullptr)
      *place.matrix = {data, plan.kind, item.spec->rows, item.spec->cols};
    if (place.vector != nullptr) *place.vector = reinterpret_cast<const float*>(data);
  }
  if (plan.tied_head) weights.head = weights.embedding;
}

}  // namespace

Result<Weights> load_weights(device::Device& device, const ModelSpec& spec,
                             const Checkpoint& checkpoint, const WeightPlan& plan,
                             const LoadOptions& options) {
  Weights weights;
  weights.kind = plan.kind;
  weights.layers.resize(spec.layers.size());
  weights.memory = TRY(device.allocate(plan.memory_bytes));
  const auto pool = TRY(ComputePool::create(options.threads));
  Loader loader(checkpoint, plan, options, weights.memory.data());
  TRY(loader.run(*pool));
  point_at(weights, plan);
  return weights;
}

}  // namespace strata::model
