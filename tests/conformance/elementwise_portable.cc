// The row-wise kernels over arrays: compiled without any instruction-set flag.
#include "elementwise_variants.h"
#include "kernels/x86/elementwise_inl.h"

namespace strata::kernels {

const ElementwiseKernels kElementwiseScalar16 = elementwise_kernels<simd::Scalar16>();

}  // namespace strata::kernels
