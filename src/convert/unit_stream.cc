// Runs of rows are laid in the order of the unit, so that a window is a piece of it without holes.
#include "convert/unit_stream.h"

#include <algorithm>
#include <cstring>

namespace strata::convert {
namespace {

using model::RowRun;

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
    const checkpoint::TensorEntry& entry = *run.item->entry;
    checkpoint_->file(entry.file)
        .drop_cached(entry.offset + run.source_offset(), run.source_bytes());
  }
  return {};
}

Result<void> UnitStream::run(const model::WeightUnit& unit, const Sink& sink) {
  for (const Window& window : cut_windows(unit)) {
    TRY(fill(window));
    TRY(sink(memory_.span().first(static_cast<size_t>(window.end - window.begin))));
  }
  return {};
}

}  // namespace strata::convert
