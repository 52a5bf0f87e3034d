// The AVX-512 blocking of attention on pairs of AVX2 halves.
#include "attention_variants.h"
#include "kernels/x86/attention_inl.h"

namespace strata::kernels {

STRATA_ATTENTION_KERNELS(kWideAttentionOnAvx2, simd::Avx2, WideAttention);

}  // namespace strata::kernels
