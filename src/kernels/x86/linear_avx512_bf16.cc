// bf16 linear kernels for AVX-512 with VDPBF16PS. Driver: kernels/linear.cc.
#include "kernels/x86/linear_blocking.h"
#include "kernels/x86/linear_dot_inl.h"
#include "kernels/x86/linear_units.h"

namespace strata::kernels {

const LinearKernels kLinearAvx512Bf16[3] = {dot_kernels<Avx512Dot, WideBlocking>(), {}, {}};

}  // namespace strata::kernels
