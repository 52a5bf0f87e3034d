// Row-wise ops for AVX-512.
#include "kernels/x86/elementwise_inl.h"
#include "kernels/x86/elementwise_units.h"

namespace strata::kernels {

const ElementwiseKernels kElementwiseAvx512 = elementwise_kernels<simd::Avx512>();

}  // namespace strata::kernels
