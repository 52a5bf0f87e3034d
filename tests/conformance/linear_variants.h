// Linear kernels that no table uses: each blocking on another vector backend, and AMX and pairs of
// bf16 on emulated units. They exist so that blockings which the machine at hand cannot run are
// still exercised on it.
#pragma once

#include "kernels/linear_kernels.h"

namespace strata::kernels {

extern const LinearKernels kWideOnScalar16[3];
extern const LinearKernels kNarrowOnScalar16[3];
extern const LinearKernels kEmulatedAmx[3];  // bf16 only
extern const LinearKernels kEmulatedDot[3];  // bf16 only
#if defined(__x86_64__)
extern const LinearKernels kWideOnAvx2[3];      // call only where the CPU has AVX2
extern const LinearKernels kNarrowOnAvx512[3];  // call only where the CPU has AVX-512
#endif

}  // namespace strata::kernels
