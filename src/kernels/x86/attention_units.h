// Entry points of the x86 units of attention; each is compiled with the flags of its instruction
// set and may be called only where cpu_features.h says so. Index: ProductKind.
#pragma once

#include "kernels/attention_kernels.h"

namespace strata::kernels {

extern const AttentionKernels kAttentionAvx2[3];
extern const AttentionKernels kAttentionAvx512[3];
// bf16 only; the others are empty
extern const AttentionKernels kAttentionAvx512Bf16[3];
extern const AttentionKernels kAttentionAmx[3];

}  // namespace strata::kernels
