// Expands coded weights with AVX2: bits of a plane are spread over bytes, 32 at a time, and a table
// of 16 bytes says which exponent they name. Escapes (one weight in forty) are noted meanwhile and
// put in afterwards, all of a chunk in one loop: a loop for each group ends where no branch
// predictor expects it, which took as long as the rest.
#include <immintrin.h>

#include "kernels/simd/inline.h"
#include "kernels/x86/expand/expand_inl.h"
#include "kernels/x86/expand/expand_units.h"

namespace strata::kernels {
namespace {

using tensor::WeightOrder;

constexpr int64_t kGroupWeights = 64;
constexpr int64_t kChunkGroups = 2 * kGroups;

/// Bytes of ones where the bits of `bits` are set.
STRATA_KERNEL_INLINE __m256i spread(const std::byte* bits) {
  const __m256i bytes = _mm256_setr_epi64x(0x0000000000000000, 0x0101010101010101,
                                           0x0202020202020202, 0x0303030303030303);
  const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201));
  int32_t all;
  __builtin_memcpy(&all, bits, sizeof all);
  return _mm256_cmpeq_epi8(
      _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(all), bytes), bit), bit);
}

/// Of the exponents with a code, by 6 - code: the parts of both bytes of a weight.
struct Exponents {
  __m256i upper, lower;

  STRATA_KERNEL_INLINE explicit Exponents(uint8_t highest) {
    const __m256i order = _mm256_set1_epi64x(0x0706050403020100);
    const __m256i e = _mm256_add_epi8(_mm256_set1_epi8(static_cast<char>(highest - 6)), order);
    const __m256i sign = _mm256_set1_epi8(static_cast<char>(0x80));
    upper = _mm256_andnot_si256(sign, _mm256_srli_epi16(e, 1));
    lower = _mm256_and_si256(sign, _mm256_slli_epi16(e, 7));
  }
};

/// Half of a group: bytes 0 to 31, or 32 to 63, whose bits stand in `planes`. Escapes get any
/// exponent.
template <WeightOrder kOrder>
STRATA_KERNEL_INLINE void expand_half(const std::byte* bytes, const std::byte* planes,
                                      const Exponents& exponents, std::byte* out) {
  const __m256i sign = _mm256_set1_epi8(static_cast<char>(0x80));
  // A byte of ones is -1: 4 and 2 where their bits are not set, less 1 where the last is.
  const __m256i fours = _mm256_andnot_si256(spread(planes + 16), _mm256_set1_epi8(4));
  const __m256i twos = _mm256_andnot_si256(spread(planes + 8), _mm256_set1_epi8(2));
  const __m256i at = _mm256_add_epi8(_mm256_or_si256(fours, twos), spread(planes));
  __m256i byte = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  const __m256i signs = _mm256_and_si256(sign, byte);
  __m256i upper = _mm256_or_si256(signs, _mm256_shuffle_epi8(exponents.upper, at));
  __m256i lower =
      _mm256_or_si256(_mm256_xor_si256(signs, byte), _mm256_shuffle_epi8(exponents.lower, at));
  if constexpr (kOrder == WeightOrder::kChains) {
    const __m256i chains = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(8, 0, 10, 2, 12, 4, 14, 6, 9, 1, 11, 3, 13, 5, 15, 7));
    upper = _mm256_shuffle_epi8(upper, chains);
    lower = _mm256_shuffle_epi8(lower, chains);
  }
  _mm256_store_si256(reinterpret_cast<__m256i*>(out), _mm256_unpacklo_epi8(lower, upper));
  _mm256_store_si256(reinterpret_cast<__m256i*>(out + 64), _mm256_unpackhi_epi8(lower, upper));
}

/// Which weight the byte at a place of a group becomes.
template <WeightOrder kOrder>
struct WeightOfPlace {
  uint8_t weights[kGroupWeights] = {};

  constexpr WeightOfPlace() {
    for (int64_t i = 0; i < kGroupWeights; i++) {
      weights[tensor::coded_place(i)] = static_cast<uint8_t>(tensor::place_in_order(i, kOrder));
    }
  }
};

/// The escapes of a chunk as the planes go by: group * 64 + place of each.
struct Escapes {
  uint16_t places[kChunkGroups * kGroupWeights + 4];
  int64_t count = 0;

  STRATA_KERNEL_INLINE void note(const std::byte* planes, int64_t group) {
    uint64_t low, middle, high;
    __builtin_memcpy(&low, planes, 8);
    __builtin_memcpy(&middle, planes + 8, 8);
    __builtin_memcpy(&high, planes + 16, 8);
    uint64_t left = low & middle & high;
    const int64_t found = __builtin_popcountll(left);
    // Four without asking how many there are; what is too much is written over.
    for (int64_t i = 0; i < 4; i++) take(left, group, count + i);
    for (int64_t i = 4; i < found; i++) take(left, group, count + i);
    count += found;
  }

 private:
  STRATA_KERNEL_INLINE void take(uint64_t& left, int64_t group, int64_t index) {
    int64_t place = group * kGroupWeights + __builtin_ctzll(left | uint64_t{1} << 63);
    // Kept apart: gathered into a vector four places take longer.
    asm("" : "+r"(place));
    places[index] = static_cast<uint16_t>(place);
    left &= left - 1;
  }
};

template <WeightOrder kOrder>
STRATA_KERNEL_INLINE void put(const Escapes& escapes, const std::byte* next, const std::byte* last,
                              std::byte* out) {
  static constexpr WeightOfPlace<kOrder> kTable;
  for (int64_t i = 0; i < escapes.count; i++) {
    const int64_t place = escapes.places[i];
    const int64_t group = place / kGroupWeights * kGroupWeights;
    std::byte* to = out + (group + kTable.weights[place % kGroupWeights]) * 2;
    const std::byte* from = next + i < last ? next + i : last;
    uint16_t weight;
    __builtin_memcpy(&weight, to, sizeof weight);
    weight = static_cast<uint16_t>((weight & 0x807f) | static_cast<uint32_t>(*from) << 7);
    __builtin_memcpy(to, &weight, sizeof weight);
  }
}

template <WeightOrder kOrder>
STRATA_KERNEL_INLINE void expand(const tensor::ExpandArgs& args) {
  const CodedPanel panel(args);
  const Exponents exponents(panel.highest);
  for (int64_t chunk = 0; chunk < args.chunks; chunk++) {
    panel.prefetch_escapes(args.first + chunk);
    const std::byte* coded = panel.chunk(args.first + chunk);
    std::byte* out = args.out + chunk * 2 * kTileBytes;
    Escapes escapes;
    for (int64_t group = 0; group < kChunkGroups; group++) {
      const std::byte* bytes = coded + group * kGroupBytes;
      const std::byte* planes = bytes + kPlanesOffset;
      expand_half<kOrder>(bytes, planes, exponents, out + group * 128);
      expand_half<kOrder>(bytes + 32, planes + 4, exponents, out + group * 128 + 32);
      escapes.note(planes, group);
    }
    put<kOrder>(escapes, panel.escapes_of(args.first + chunk), panel.last, out);
  }
}

}  // namespace

void expand_chunks_avx2(const tensor::ExpandArgs& args) {
  if (args.order == WeightOrder::kChains) return expand<WeightOrder::kChains>(args);
  expand<WeightOrder::kPacked>(args);
}

}  // namespace strata::kernels
