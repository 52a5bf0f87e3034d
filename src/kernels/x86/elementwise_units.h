// Entry points of the x86 units of the row-wise ops; each may be called only where cpu_features.h
// says so.
#pragma once

#include "kernels/elementwise_kernels.h"

namespace strata::kernels {

extern const ElementwiseKernels kElementwiseAvx2;
extern const ElementwiseKernels kElementwiseAvx512;

}  // namespace strata::kernels
