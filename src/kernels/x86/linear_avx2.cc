// Linear kernels for AVX2 + FMA + F16C. Driver: kernels/linear.cc.
#include "kernels/x86/linear_blocking.h"
#include "kernels/x86/linear_fma_inl.h"
#include "kernels/x86/linear_units.h"

namespace strata::kernels {

STRATA_LINEAR_KERNELS(kLinearAvx2, simd::Avx2, NarrowBlocking);

}  // namespace strata::kernels
