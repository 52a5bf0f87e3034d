// Entry points of the units that expand coded weights (tensor/exponent_coding.h); each is compiled
// with the flags of its instruction set and may be called only where cpu_features.h says so. Same
// bytes as tensor::expand_chunks.
#pragma once

#include "tensor/exponent_coding.h"

namespace strata::kernels {

void expand_chunks_avx2(const tensor::ExpandArgs& args);
void expand_chunks_vbmi2(const tensor::ExpandArgs& args);

}  // namespace strata::kernels
