// The AVX2 blocking of attention on zmm registers.
#include "attention_variants.h"
#include "kernels/x86/attention_inl.h"

namespace strata::kernels {

STRATA_ATTENTION_KERNELS(kNarrowAttentionOnAvx512, simd::Avx512, NarrowAttention);

}  // namespace strata::kernels
