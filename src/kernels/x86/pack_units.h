// Packing units of x86; call only where the CPU has AVX2.
#pragma once

#include "tensor/pack.h"

namespace strata::kernels {

/// tensor::pack_rows with the same bytes; dst must be 64-byte aligned.
void pack_rows_avx2(const tensor::PackArgs& args);

}  // namespace strata::kernels
