// Attention of bf16 on the AMX tiles of the CPU. Driver: kernels/attention.cc.
#include "kernels/x86/attention_amx_inl.h"
#include "kernels/x86/attention_units.h"

namespace strata::kernels {

const AttentionKernels kAttentionAmx[3] = {amx_attention_kernels<AmxTiles, simd::Avx512>(), {}, {}};

}  // namespace strata::kernels
