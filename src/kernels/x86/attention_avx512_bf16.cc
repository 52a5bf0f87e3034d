// Attention tile functions for AVX-512 with VDPBF16PS, bf16 only. Driver: kernels/attention.cc.
#include "kernels/x86/attention_inl.h"
#include "kernels/x86/attention_units.h"

namespace strata::kernels {

STRATA_PAIR_ATTENTION_KERNELS(kAttentionAvx512Bf16, Avx512Dot, WideAttention);

}  // namespace strata::kernels
