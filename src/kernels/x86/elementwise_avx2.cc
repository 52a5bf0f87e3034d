// Row-wise ops for AVX2 + FMA + F16C.
#include "kernels/x86/elementwise_inl.h"
#include "kernels/x86/elementwise_units.h"

namespace strata::kernels {

const ElementwiseKernels kElementwiseAvx2 = elementwise_kernels<simd::Avx2>();

}  // namespace strata::kernels
