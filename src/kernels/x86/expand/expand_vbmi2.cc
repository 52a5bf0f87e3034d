// Expands coded weights with AVX-512 and VBMI2: bit planes are mask registers as they lie, and
// escapes are spread to their places by one instruction. About 8 cycles for 64 weights.
#include <immintrin.h>

#include "kernels/simd/inline.h"
#include "kernels/x86/expand/expand_inl.h"
#include "kernels/x86/expand/expand_units.h"

namespace strata::kernels {
namespace {

using tensor::WeightOrder;

struct Escapes {
  const std::byte* next;
  const std::byte* last;  // where a vector may still be read
};

template <WeightOrder kOrder>
STRATA_KERNEL_INLINE void expand_tile(const std::byte* coded, __m512i highest, Escapes& escapes,
                                      std::byte* out) {
  const __m512i chains = _mm512_maskz_broadcast_i32x4(
      0xffff, _mm_setr_epi8(8, 0, 10, 2, 12, 4, 14, 6, 9, 1, 11, 3, 13, 5, 15, 7));
  const __m512i one = _mm512_set1_epi8(1), two = _mm512_set1_epi8(2), four = _mm512_set1_epi8(4);
  const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
#pragma GCC unroll 8
  for (int64_t group = 0; group < kGroups; group++) {
    const std::byte* bytes = coded + group * kGroupBytes;
    const std::byte* planes = bytes + kPlanesOffset;
    uint64_t low, middle, high;
    __builtin_memcpy(&low, planes, 8);
    __builtin_memcpy(&middle, planes + 8, 8);
    __builtin_memcpy(&high, planes + 16, 8);
    __m512i e = _mm512_mask_sub_epi8(highest, low, highest, one);
    e = _mm512_mask_sub_epi8(e, middle, e, two);
    e = _mm512_mask_sub_epi8(e, high, e, four);
    const uint64_t escaped = low & middle & high;
    __m512i listed = _mm512_loadu_si512(escapes.next);
    // Kept in a register: with a memory operand the instruction is microcode on some CPUs.
    asm("" : "+v"(listed));
    e = _mm512_mask_expand_epi8(e, escaped, listed);
    escapes.next += __builtin_popcountll(escaped);
    escapes.next = escapes.next < escapes.last ? escapes.next : escapes.last;
    const __m512i byte = _mm512_loadu_si512(bytes);
    // Of each the bit of `sign` from the one, the others from the other.
    __m512i upper = _mm512_ternarylogic_epi64(sign, byte, _mm512_srli_epi16(e, 1), 0xca);
    __m512i lower = _mm512_ternarylogic_epi64(sign, _mm512_slli_epi16(e, 7), byte, 0xca);
    if constexpr (kOrder == WeightOrder::kChains) {
      upper = _mm512_shuffle_epi8(upper, chains);
      lower = _mm512_shuffle_epi8(lower, chains);
    }
    _mm512_store_si512(out + group * 128, _mm512_unpacklo_epi8(lower, upper));
    _mm512_store_si512(out + group * 128 + 64, _mm512_unpackhi_epi8(lower, upper));
  }
}

template <WeightOrder kOrder>
STRATA_KERNEL_INLINE void expand(const tensor::ExpandArgs& args) {
  const CodedPanel panel(args);
  const __m512i highest = _mm512_set1_epi8(static_cast<char>(panel.highest));
  for (int64_t chunk = 0; chunk < args.chunks; chunk++) {
    panel.prefetch_escapes(args.first + chunk);
    Escapes escapes = {panel.escapes_of(args.first + chunk), panel.last};
    const std::byte* coded = panel.chunk(args.first + chunk);
    std::byte* out = args.out + chunk * 2 * kTileBytes;
    expand_tile<kOrder>(coded, highest, escapes, out);
    expand_tile<kOrder>(coded + tensor::kCodedTileBytes, highest, escapes, out + kTileBytes);
  }
}

}  // namespace

void expand_chunks_vbmi2(const tensor::ExpandArgs& args) {
  if (args.order == WeightOrder::kChains) return expand<WeightOrder::kChains>(args);
  expand<WeightOrder::kPacked>(args);
}

}  // namespace strata::kernels
