// Passes over a row of logits for AVX2 + FMA.
#include "kernels/x86/logits_inl.h"
#include "kernels/x86/logits_units.h"

namespace strata::kernels {

const LogitsKernels kLogitsAvx2 = logits_kernels<simd::Avx2>();

}  // namespace strata::kernels
