// The passes over logits on arrays: compiled without any instruction-set flag.
#include "kernels/x86/logits_inl.h"
#include "logits_variants.h"

namespace strata::kernels {

const LogitsKernels kLogitsScalar16 = logits_kernels<simd::Scalar16>();

}  // namespace strata::kernels
