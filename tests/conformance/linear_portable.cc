// The vector kernels over arrays: compiled without any instruction-set flag.
#include "kernels/x86/linear_blocking.h"
#include "kernels/x86/linear_fma_inl.h"
#include "linear_variants.h"

namespace strata::kernels {

STRATA_LINEAR_KERNELS(kWideOnScalar16, simd::Scalar16, WideBlocking);
STRATA_LINEAR_KERNELS(kNarrowOnScalar16, simd::Scalar16, NarrowBlocking);

}  // namespace strata::kernels
