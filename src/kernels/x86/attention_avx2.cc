// Attention tile functions for AVX2 + FMA + F16C. Driver: kernels/attention.cc.
#include "kernels/x86/attention_inl.h"
#include "kernels/x86/attention_units.h"

namespace strata::kernels {

STRATA_ATTENTION_KERNELS(kAttentionAvx2, simd::Avx2, NarrowAttention);

}  // namespace strata::kernels
