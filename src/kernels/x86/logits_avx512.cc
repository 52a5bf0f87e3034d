// Passes over a row of logits for AVX-512 F, BW, DQ, VL.
#include "kernels/x86/logits_inl.h"
#include "kernels/x86/logits_units.h"

namespace strata::kernels {

const LogitsKernels kLogitsAvx512 = logits_kernels<simd::Avx512>();

}  // namespace strata::kernels
