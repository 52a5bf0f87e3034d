// Linear kernels for AVX-512 (F, BW, DQ, VL). Driver: kernels/linear.cc.
#include "kernels/x86/linear_blocking.h"
#include "kernels/x86/linear_fma_inl.h"
#include "kernels/x86/linear_units.h"

namespace strata::kernels {

STRATA_LINEAR_KERNELS(kLinearAvx512, simd::Avx512, WideBlocking);

}  // namespace strata::kernels
