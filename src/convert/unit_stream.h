// A unit as a stream of bytes in compute layout: window after window is read from the model's
// files, laid, and handed on. A window is all the memory that it needs, whatever the unit's size.
// Writes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/compute_pool.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "device/device.h"
#include "model/relay.h"
#include "model/weights.h"

namespace strata::convert {

/// Bytes of a window, unless a panel of a matrix is larger: long enough for a disk, short enough
/// that a window is written to the disk while the next is laid.
inline constexpr int64_t kWindowBytes = 16 << 20;

/// One thread drives it.
class UnitStream {
 public:
  /// What is given must outlive the stream.
  static Result<UnitStream> create(device::Device& device, const checkpoint::Checkpoint& checkpoint,
                                   const model::WeightPlan& plan, ComputePool& pool,
                                   const model::LoadOptions& options);

  /// Takes a piece of the unit; a failure ends the stream.
  using Sink = std::function<Result<void>(std::span<const std::byte> bytes)>;

  /// Hands the unit's padded bytes to `sink` from first to last. The page cache forgets what was
  /// read of the model's files.
  Result<void> run(const model::WeightUnit& unit, const Sink& sink);

 private:
  struct Window {
    int64_t begin = 0;  // in the unit
    int64_t end = 0;
    std::vector<model::RowRun> runs;
  };

  UnitStream(const checkpoint::Checkpoint& checkpoint, const model::WeightPlan& plan,
             ComputePool& pool, const model::LoadOptions& options)
      : checkpoint_(&checkpoint), plan_(&plan), pool_(&pool), options_(options) {}
  std::vector<Window> cut_windows(const model::WeightUnit& unit) const;
  Result<void> fill(const Window& window);
  void forget(const model::WeightUnit& unit);
  void drop(const checkpoint::TensorEntry& entry, uint64_t offset, uint64_t bytes) const;

  const checkpoint::Checkpoint* checkpoint_;
  const model::WeightPlan* plan_;
  ComputePool* pool_;
  model::LoadOptions options_;
  int64_t window_bytes_ = 0;
  device::Buffer memory_;  // a window
  const model::WeightUnit* before_ = nullptr;
};

}  // namespace strata::convert
