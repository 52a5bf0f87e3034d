// Entry points of the x86 units of linear ops; each is compiled with the flags of its instruction
// set and may be called only where cpu_features.h says so. Index: ProductKind.
#pragma once

#include "kernels/linear_kernels.h"

namespace strata::kernels {

extern const LinearKernels kLinearAvx2[3];
extern const LinearKernels kLinearAvx512[3];
// bf16 only; the others are empty
extern const LinearKernels kLinearAvx512Bf16[3];
extern const LinearKernels kLinearAmx[3];

}  // namespace strata::kernels
