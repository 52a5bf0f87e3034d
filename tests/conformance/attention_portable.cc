// The vector kernels of attention over arrays: compiled without any instruction-set flag. Small
// blocks of rows, because arrays of lanes unroll into a great deal of code; the real blockings run
// on vectors of any kind (attention_on_*.cc).
#include "attention_variants.h"
#include "kernels/x86/attention_amx_inl.h"
#include "kernels/x86/attention_inl.h"

namespace strata::kernels {
namespace {

struct SmallWide {
  static constexpr int kMaxRows = 3;
  static constexpr int kBothChainsRows = 3;
};

struct SmallNarrow {
  static constexpr int kMaxRows = 2;
  static constexpr int kBothChainsRows = 1;
};

}  // namespace

STRATA_ATTENTION_KERNELS(kSmallWideOnScalar16, simd::Scalar16, SmallWide);
STRATA_PAIR_ATTENTION_KERNELS(kEmulatedDotAttention, EmulatedDot<simd::Scalar16>, SmallWide);
const AttentionKernels kEmulatedAmxAttention[3] = {
    amx_attention_kernels<EmulatedTiles, simd::Scalar16>(), {}, {}};
STRATA_ATTENTION_KERNELS(kSmallNarrowOnScalar16, simd::Scalar16, SmallNarrow);

}  // namespace strata::kernels
