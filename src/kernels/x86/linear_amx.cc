// bf16 linear kernels on the AMX tiles of the CPU. Driver: kernels/linear.cc.
#include "kernels/x86/linear_amx_inl.h"
#include "kernels/x86/linear_units.h"

namespace strata::kernels {

const LinearKernels kLinearAmx[3] = {amx_kernels<AmxTiles, simd::Avx512>(), {}, {}};

}  // namespace strata::kernels
