// The AVX2 blocking on zmm registers.
#include "kernels/x86/linear_blocking.h"
#include "kernels/x86/linear_fma_inl.h"
#include "linear_variants.h"

namespace strata::kernels {

STRATA_LINEAR_KERNELS(kNarrowOnAvx512, simd::Avx512, NarrowBlocking);

}  // namespace strata::kernels
