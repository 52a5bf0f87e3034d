// The passes over logits over arrays, which no table uses: they run on any CPU.
#pragma once

#include "kernels/logits_kernels.h"

namespace strata::kernels {

extern const LogitsKernels kLogitsScalar16;

}  // namespace strata::kernels
