// Re-lays rows of a checkpoint matrix into the packed layout (packed.h), converting the element
// type where it differs. The loader's inner loop: this is the portable definition,
// kernels/x86/pack_avx2.cc the fast one with the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/packed.h"

namespace strata::tensor {

/// A run of whole panels of one matrix. Threads may pack different runs of a matrix at once.
struct PackArgs {
  ProductKind kind = ProductKind::kBf16;
  DType src_dtype = DType::kBF16;  // f32, f16 or bf16
  const void* src =
      nullptr;  // element (first_row, 0); rows follow each other without gaps; any alignment
  int64_t first_row = 0;  // a multiple of 32
  int64_t rows =
      0;  // a multiple of 32, unless the run ends the matrix: the last panel's rest becomes +0
  int64_t k = 0;             // columns; padded with +0 to a multiple of 32
  std::byte* dst = nullptr;  // the packed matrix (its element (0, 0)), 64-byte aligned
};

/// Whether pack_rows reads this element type.
constexpr bool packable(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

/// Same type: bits are copied. Others are widened exactly and rounded as float_bits.h says.
void pack_rows(const PackArgs& args);

}  // namespace strata::tensor
