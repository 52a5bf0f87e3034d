// The seam between the driver of linear ops (linear.cc: items, blocks of rows, threads) and the
// kernels of one instruction set (x86/linear_*.cc). Plain structs and pointers: units of any
// instruction set may include it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/inline.h"
#include "tensor/exponent_coding.h"

namespace strata::kernels {

/// A block of operand rows as the kernels read them: groups of rows, each [chunk][rows of the
/// group][32], so that the rows of a group never meet at a power-of-two stride. Groups differ by at
/// most one row and follow each other without a gap.
struct RowGroups {
  int64_t rows;
  int64_t groups;

  STRATA_KERNEL_INLINE static RowGroups cut(int64_t rows, int64_t most) {
    return {rows, (rows + most - 1) / most};
  }
  STRATA_KERNEL_INLINE int64_t begin(int64_t group) const {
    const int64_t extra = rows % groups;
    return group * (rows / groups) + (group < extra ? group : extra);
  }
  STRATA_KERNEL_INLINE int64_t count(int64_t group) const {
    return begin(group + 1) - begin(group);
  }
};

/// Copies one group of operand rows into its place in the block.
struct PackRowsArgs {
  const void* x;      // first row of the group
  int64_t row_bytes;  // from row to row
  int64_t rows;       // of the group
  int64_t chunks;     // of 32 columns
  void* out;          // [chunks][rows][32]
};

using tensor::ExpandFn;

/// Consecutive panels of one matrix times one block of rows, down to the output.
struct LinearItem {
  const std::byte* w;  // first panel
  int64_t panel_bytes;
  ExpandFn expand;  // of coded panels; null: they are packed
  int64_t panels;
  int64_t chunks;  // depth / 32
  const void* x;   // the block of rows, packed
  int64_t rows;    // 1..LinearKernels::block_rows
  float* out;      // of the first row and first output of the item
  int64_t out_stride;
  const float* bias;  // of the first output, or null
  int64_t cols;       // valid outputs from the first panel on (the last panel may be partial)
  bool accumulate;
};

/// What one instruction set offers for one product kind.
struct LinearKernels {
  int64_t group_rows;     // most rows of a group
  int64_t block_rows;     // most rows of a block
  int64_t operand_bytes;  // of one packed element
  void (*pack_rows)(const PackRowsArgs&);
  void (*run)(const LinearItem&);
};

}  // namespace strata::kernels
