// Kernels of units for pairs and tiles of bf16, over arrays: compiled without any instruction-set
// flag.
#include "kernels/x86/linear_amx_inl.h"
#include "kernels/x86/linear_blocking.h"
#include "kernels/x86/linear_dot_inl.h"
#include "linear_variants.h"

namespace strata::kernels {

const LinearKernels kEmulatedAmx[3] = {amx_kernels<EmulatedTiles, simd::Scalar16>(), {}, {}};
const LinearKernels kEmulatedDot[3] = {
    dot_kernels<EmulatedDot<simd::Scalar16>, WideBlocking>(), {}, {}};

}  // namespace strata::kernels
