// The AVX-512 blocking on pairs of AVX2 halves.
#include "kernels/x86/linear_blocking.h"
#include "kernels/x86/linear_fma_inl.h"
#include "linear_variants.h"

namespace strata::kernels {

STRATA_LINEAR_KERNELS(kWideOnAvx2, simd::Avx2, WideBlocking);

}  // namespace strata::kernels
