// Entry points of the x86 units of the passes over logits; each may be called only where
// cpu_features.h says so.
#pragma once

#include "kernels/logits_kernels.h"

namespace strata::kernels {

extern const LogitsKernels kLogitsAvx2;
extern const LogitsKernels kLogitsAvx512;

}  // namespace strata::kernels
