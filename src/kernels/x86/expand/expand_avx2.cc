// Expands coded weights with AVX2: bits of a plane are spread over bytes, 32 at a time, escapes are
// put in one by one afterwards (one weight in forty).
#include <immintrin.h>

#include "kernels/simd/inline.h"
#include "kernels/x86/expand/expand_inl.h"
#include "kernels/x86/expand/expand_units.h"

namespace strata::kernels {
namespace {

/// Bytes of ones where the bits of `bits` are set.
STRATA_KERNEL_INLINE __m256i spread(uint32_t bits) {
  const __m256i bytes = _mm256_setr_epi64x(0x0000000000000000, 0x0101010101010101,
                                           0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  const __m256i all = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), bytes);
  return _mm256_cmpeq_epi8(_mm256_and_si256(all, bit), bit);
}

/// Half of a group: bytes 0 to 31, or 32 to 63, whose bits stand in `planes`.
STRATA_KERNEL_INLINE void expand_half(const std::byte* bytes, const std::byte* planes,
                                      __m256i highest, std::byte* out) {
  const __m256i sign = _mm256_set1_epi8(static_cast<char>(0x80));
  uint32_t low, middle, high;
  __builtin_memcpy(&low, planes, 4);
  __builtin_memcpy(&middle, planes + 8, 4);
  __builtin_memcpy(&high, planes + 16, 4);
  // A byte of ones is -1.
  const __m256i twos = spread(middle);
  __m256i e = _mm256_add_epi8(highest, spread(low));
  e = _mm256_add_epi8(e, _mm256_add_epi8(twos, twos));
  e = _mm256_sub_epi8(e, _mm256_and_si256(spread(high), _mm256_set1_epi8(4)));
  const __m256i byte = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  const __m256i upper = _mm256_or_si256(_mm256_and_si256(sign, byte),
                                        _mm256_andnot_si256(sign, _mm256_srli_epi16(e, 1)));
  const __m256i lower = _mm256_or_si256(_mm256_and_si256(sign, _mm256_slli_epi16(e, 7)),
                                        _mm256_andnot_si256(sign, byte));
  _mm256_store_si256(reinterpret_cast<__m256i*>(out), _mm256_unpacklo_epi8(lower, upper));
  _mm256_store_si256(reinterpret_cast<__m256i*>(out + 64), _mm256_unpackhi_epi8(lower, upper));
}

/// The weights of a group whose exponents are in the list.
STRATA_KERNEL_INLINE void put_escapes(const std::byte* bytes, const std::byte* planes,
                                      const std::byte*& next, const std::byte* last,
                                      std::byte* out) {
  uint64_t bits[3];
  __builtin_memcpy(bits, planes, sizeof bits);
  for (uint64_t left = bits[0] & bits[1] & bits[2]; left != 0; left &= left - 1) {
    const int64_t place = __builtin_ctzll(left);
    const auto byte = static_cast<uint32_t>(bytes[place]);
    const uint32_t weight = (byte & 0x80) << 8 | static_cast<uint32_t>(*next) << 7 | (byte & 0x7f);
    const int64_t i = place / 16 * 8 + place % 16 / 8 * 32 + place % 8;
    const auto stored = static_cast<uint16_t>(weight);
    __builtin_memcpy(out + i * 2, &stored, sizeof stored);
    next = next < last ? next + 1 : last;
  }
}

STRATA_KERNEL_INLINE void expand_tile(const std::byte* coded, __m256i highest,
                                      const std::byte*& next, const std::byte* last,
                                      std::byte* out) {
  for (int64_t group = 0; group < kGroups; group++) {
    const std::byte* bytes = coded + group * kGroupBytes;
    const std::byte* planes = bytes + kPlanesOffset;
    expand_half(bytes, planes, highest, out + group * 128);
    expand_half(bytes + 32, planes + 4, highest, out + group * 128 + 32);
  }
  for (int64_t group = 0; group < kGroups; group++) {
    const std::byte* bytes = coded + group * kGroupBytes;
    put_escapes(bytes, bytes + kPlanesOffset, next, last, out + group * 128);
  }
}

}  // namespace

void expand_chunks_avx2(const tensor::ExpandArgs& args) {
  const CodedPanel panel(args);
  const __m256i highest = _mm256_set1_epi8(static_cast<char>(panel.highest));
  for (int64_t chunk = 0; chunk < args.chunks; chunk++) {
    const std::byte* next = panel.escapes_of(args.first + chunk);
    const std::byte* coded = panel.chunk(args.first + chunk);
    std::byte* out = args.out + chunk * 2 * kTileBytes;
    expand_tile(coded, highest, next, panel.last, out);
    expand_tile(coded + tensor::kCodedTileBytes, highest, next, panel.last, out + kTileBytes);
  }
}

}  // namespace strata::kernels
