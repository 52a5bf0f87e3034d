// Runs of rows are laid in the order of the unit, so that a window is a piece of it without holes.
#include "convert/unit_stream.h"

#include <algorithm>
#include <cstring>

namespace strata::convert {
namespace {

using model::RowRun;

// What the kernel may have read ahead, and what a dropped range takes with it, stays behind the
// reads; the rest of a tensor goes with its unit.
constexpr uint64_t kReadAhead = 4 << 20;
constexpr uint64_t kMostReadAhead = 32 << 20;

// Most bytes that one run, or the padding of a unit, takes: where a panel is larger than a window,
// windows grow.
int64_t largest_piece(const model::WeightPlan& plan) {
  int64_t bytes = plan.cut.alignment;
  for (const model::WeightUnit& unit : plan.cut.units) {
    for (const RowRun& run : model::cut_runs(plan, unit, model::kStagingBytes)) {
      bytes = std::max(bytes, run.bytes);
    }
  }
  return bytes;
}

}  // namespace

Result<UnitStream> UnitStream::create(device::Device& device,
                                      const checkpoint::Checkpoint& checkpoint,
                                      const model::WeightPlan& plan, ComputePool& pool,
                                      const model::LoadOptions& options) {
  UnitStream stream(checkpoint, plan, pool, options);
  stream.window_bytes_ = std::max(kWindowBytes, largest_piece(plan));
  stream.memory_ = TRY(device.allocate(stream.window_bytes_));
  return stream;
}

std::vector<UnitStream::Window> UnitStream::cut_windows(const model::WeightUnit& unit) const {
  std::vector<Window> windows(1);
  const auto begin_at = [&](int64_t offset) {
    windows.back().end = offset;
    windows.push_back({.begin = offset, .end = 0, .runs = {}});
  };
  for (const RowRun& run : model::cut_runs(*plan_, unit, model::kStagingBytes)) {
    if (run.offset + run.bytes - windows.back().begin > window_bytes_) begin_at(run.offset);
    windows.back().runs.push_back(run);
  }
  if (unit.padded_bytes - windows.back().begin > window_bytes_) begin_at(unit.bytes);
  windows.back().end = unit.padded_bytes;
  return windows;
}

// Gaps between tensors are zeros, so that a pack depends on nothing but its model.
Result<void> UnitStream::fill(const Window& window) {
  std::memset(memory_.data(), 0, static_cast<size_t>(window.end - window.begin));
  std::vector<model::RunPlace> places;
  for (const RowRun& run : window.runs) {
    places.push_back({run, memory_.data() + (run.offset - window.begin)});
  }
  TRY(model::load_runs(*checkpoint_, plan_->kind, std::move(places), *pool_, options_));
  for (const RowRun& run : window.runs) {
    if (run.source_offset() < kReadAhead) continue;
    drop(*run.item->entry, run.source_offset() - kReadAhead, run.source_bytes());
  }
  return {};
}

// What was read ahead beyond a tensor may belong to one that was read before, so that nobody else
// would drop it; or to the next unit, so that it must wait for that.
void UnitStream::forget(const model::WeightUnit& unit) {
  for (const model::UnitItem& item : unit.items) {
    const checkpoint::TensorEntry& entry = *plan_->items[item.tensor].entry;
    drop(entry, 0, entry.bytes);
  }
  if (before_ != nullptr) {
    for (const model::UnitItem& item : before_->items) {
      const checkpoint::TensorEntry& entry = *plan_->items[item.tensor].entry;
      drop(entry, entry.bytes, kMostReadAhead);
    }
  }
  before_ = &unit;
}

void UnitStream::drop(const checkpoint::TensorEntry& entry, uint64_t offset, uint64_t bytes) const {
  checkpoint_->file(entry.file).drop_cached(entry.offset + offset, bytes);
}

Result<void> UnitStream::run(const model::WeightUnit& unit, const Sink& sink) {
  for (const Window& window : cut_windows(unit)) {
    TRY(fill(window));
    TRY(sink(memory_.span().first(static_cast<size_t>(window.end - window.begin))));
  }
  forget(unit);
  return {};
}

}  // namespace strata::convert
