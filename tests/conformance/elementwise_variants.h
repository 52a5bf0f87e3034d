// The row-wise kernels over arrays, which no table uses: they run on any CPU.
#pragma once

#include "kernels/elementwise_kernels.h"

namespace strata::kernels {

extern const ElementwiseKernels kElementwiseScalar16;

}  // namespace strata::kernels
