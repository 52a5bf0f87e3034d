// Rows of a checkpoint's tensor into their unit's compute layout: what loading, converting and
// streaming a folder do after the read. Reads no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "model/weights.h"
#include "tensor/pack.h"

namespace strata::model {

/// Whole panels of a matrix, or a whole vector: contiguous in the file as in the unit.
struct RowRun {
  const WeightPlan::Item* item = nullptr;
  int64_t first_row = 0;
  int64_t rows = 0;
  int64_t offset = 0;  // in the unit
  int64_t bytes = 0;   // there

  /// Where the run lies in the item's bytes in the file.
  uint64_t source_offset() const;
  size_t source_bytes() const;
};

/// The runs of a unit in its own order, each of about `source_bytes` (but at least a panel).
std::vector<RowRun> cut_runs(const WeightPlan& plan, const WeightUnit& unit, int64_t source_bytes);

/// The same of some rows of a matrix, from a panel's first row on.
std::vector<RowRun> cut_row_runs(const WeightPlan& plan, const UnitItem& matrix, int64_t first_row,
                                 int64_t rows, int64_t source_bytes);

/// The head's matrix in the last unit: that of the embedding, where tied.
const UnitItem& head_matrix(const WeightPlan& plan);

/// Writes the run's `bytes` at `to` from its source bytes. kInvalidData naming the tensor where a
/// finite weight would be infinite as f16. Runs may be laid by many threads at once.
Result<void> lay_rows(const RowRun& run, tensor::ProductKind kind, const std::byte* source,
                      std::byte* to, void (*pack)(const tensor::PackArgs&));

/// A run and where it shall be laid, 64-byte aligned.
struct RunPlace {
  RowRun run;
  std::byte* to = nullptr;
};

/// Reads and lays runs through `pool`, in the order of the files. Needs a few hundred KiB per
/// thread. Failures name file, tensor and offset.
Result<void> load_runs(const checkpoint::Checkpoint& checkpoint, tensor::ProductKind kind,
                       std::vector<RunPlace> places, ComputePool& pool, const LoadOptions& options);

/// What runs are cut to: a staging buffer of so many bytes fits an L2 cache beside the destination
/// lines, and is large enough that a system call's fixed cost does not show.
inline constexpr int64_t kStagingBytes = 256 << 10;

}  // namespace strata::model
