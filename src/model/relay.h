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

/// Whole panels of a matrix, or a whole vector.
struct RowRun {
  const WeightPlan::Item* item = nullptr;
  int64_t first_row = 0;
  int64_t rows = 0;
  std::byte* tensor = nullptr;  // start of the tensor in its unit's memory

  /// Where the run lies in the item's bytes in the file.
  uint64_t source_offset() const;
  size_t source_bytes() const;
};

/// The runs of a unit that lies at `base`, about `staging_bytes` of source each (at least a panel),
/// in file order: reading them one after another reads each file from front to back.
std::vector<RowRun> cut_runs(const WeightPlan& plan, const WeightUnit& unit, std::byte* base,
                             int64_t staging_bytes);

/// By file, then place in it.
void sort_by_source(std::vector<RowRun>& runs);

/// Writes the run's place in the unit from its source bytes. kInvalidData naming the tensor where a
/// finite weight would be infinite as f16. Runs of a tensor may be laid by many threads at once.
Result<void> lay_rows(const RowRun& run, tensor::ProductKind kind, const std::byte* source,
                      void (*pack)(const tensor::PackArgs&));

}  // namespace strata::model
