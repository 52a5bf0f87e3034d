// Tile functions of attention that no table uses: each blocking on another vector backend, and
// pairs and tiles of bf16 on emulated units, so that blockings which the machine at hand cannot run
// are still exercised on it.
#pragma once

#include "kernels/attention_kernels.h"

namespace strata::kernels {

extern const AttentionKernels kSmallWideOnScalar16[3];
extern const AttentionKernels kSmallNarrowOnScalar16[3];
extern const AttentionKernels kEmulatedDotAttention[3];  // bf16 only
extern const AttentionKernels kEmulatedAmxAttention[3];  // bf16 only
#if defined(__x86_64__)
extern const AttentionKernels kWideAttentionOnAvx2[3];      // call only where the CPU has AVX2
extern const AttentionKernels kNarrowAttentionOnAvx512[3];  // call only where the CPU has AVX-512
#endif

}  // namespace strata::kernels
