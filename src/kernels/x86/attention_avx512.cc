// Attention tile functions for AVX-512. Driver: kernels/attention.cc.
#include "kernels/x86/attention_inl.h"
#include "kernels/x86/attention_units.h"

namespace strata::kernels {

STRATA_ATTENTION_KERNELS(kAttentionAvx512, simd::Avx512, WideAttention);

}  // namespace strata::kernels
