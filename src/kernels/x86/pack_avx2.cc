// Packing of whole rows into the compute layout with AVX2: 16 x 16 transposes of 32-bit words,
// stored past the caches (the loader writes gigabytes that nobody reads soon). Same bytes as
// tensor/pack.cc. Bound: memory, about 3 bytes moved per byte packed; bench/pack_bench.cc.
#include <immintrin.h>

#include "kernels/simd/vec16.h"
#include "kernels/x86/pack_units.h"

namespace strata::kernels {
namespace {

using V = simd::Avx2;
using tensor::DType;
using tensor::ProductKind;

constexpr int64_t kRows = 16;  // of a tile
constexpr int64_t kDeep = 32;  // columns of a chunk
constexpr int64_t kAhead =
    512;  // bytes of each row fetched ahead; 32 rows are more streams than the hardware follows

/// Sixteen rows of one chunk, as they lie in the source or in a staging buffer.
struct Rows {
  const std::byte* data;
  int64_t row_bytes;
  STRATA_KERNEL_INLINE __m256i words(int64_t row, int64_t first_word) const {
    return _mm256_loadu_si256(
        reinterpret_cast<const __m256i*>(data + row * row_bytes + first_word * 4));
  }
};

/// 8 x 8 words: out[w] holds word first_word + w of rows first_row..+7.
STRATA_KERNEL_INLINE void transpose_8x8(const Rows& rows, int64_t first_row, int64_t first_word,
                                        __m256i (&out)[8]) {
  __m256i pairs[8], quads[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m256i a = rows.words(first_row + 2 * i, first_word),
                  b = rows.words(first_row + 2 * i + 1, first_word);
    pairs[2 * i] = _mm256_unpacklo_epi32(a, b);
    pairs[2 * i + 1] = _mm256_unpackhi_epi32(a, b);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) {
    quads[4 * i] = _mm256_unpacklo_epi64(pairs[4 * i], pairs[4 * i + 2]);
    quads[4 * i + 1] = _mm256_unpackhi_epi64(pairs[4 * i], pairs[4 * i + 2]);
    quads[4 * i + 2] = _mm256_unpacklo_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
    quads[4 * i + 3] = _mm256_unpackhi_epi64(pairs[4 * i + 1], pairs[4 * i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    out[i] = _mm256_permute2x128_si256(quads[i], quads[4 + i], 0x20);
    out[4 + i] = _mm256_permute2x128_si256(quads[i], quads[4 + i], 0x31);
  }
}

STRATA_KERNEL_INLINE void stream(std::byte* to, __m256i v) {
  _mm256_stream_si256(reinterpret_cast<__m256i*>(to), v);
}

/// 32-bit words of 16 rows to [words][16 n]: a whole bf16 tile, or half of an f32 tile.
STRATA_KERNEL_INLINE void tile_words(const Rows& rows, int64_t first_word, std::byte* to) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; half++) {
    __m256i left[8], right[8];
    transpose_8x8(rows, 0, first_word + half * 8, left);
    transpose_8x8(rows, 8, first_word + half * 8, right);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      stream(to + (half * 8 + i) * 64, left[i]);
      stream(to + (half * 8 + i) * 64 + 32, right[i]);
    }
  }
}

/// f16 pairs of 16 rows to [32 k][16 n].
STRATA_KERNEL_INLINE void tile_f16(const Rows& rows, std::byte* to) {
  const __m256i low = _mm256_set1_epi32(0xffff);
#pragma GCC unroll 2
  for (int half = 0; half < 2; half++) {
    __m256i left[8], right[8];
    transpose_8x8(rows, 0, half * 8, left);
    transpose_8x8(rows, 8, half * 8, right);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      const __m256i even =
          _mm256_packus_epi32(_mm256_and_si256(left[i], low), _mm256_and_si256(right[i], low));
      const __m256i odd =
          _mm256_packus_epi32(_mm256_srli_epi32(left[i], 16), _mm256_srli_epi32(right[i], 16));
      // The packs work inside 128-bit halves, so the middle quarters swap places.
      stream(to + (half * 8 + i) * 64, _mm256_permute4x64_epi64(even, 0xd8));
      stream(to + (half * 8 + i) * 64 + 32, _mm256_permute4x64_epi64(odd, 0xd8));
    }
  }
}

template <ProductKind kKind>
STRATA_KERNEL_INLINE void store_tile(const Rows& rows, std::byte* to) {
  if constexpr (kKind == ProductKind::kBf16) tile_words(rows, 0, to);
  if constexpr (kKind == ProductKind::kF16) tile_f16(rows, to);
  if constexpr (kKind == ProductKind::kF32) {
    tile_words(rows, 0, to);
    tile_words(rows, 16, to + 1024);
  }
}

STRATA_KERNEL_INLINE int64_t source_bytes(DType dtype) { return dtype == DType::kF32 ? 4 : 2; }

/// Sixteen elements of any source type, the bits of denormals and NaNs untouched where types are
/// equal.
STRATA_KERNEL_INLINE V::F widen(DType dtype, const std::byte* from) {
  if (dtype == DType::kF32) return V::load(reinterpret_cast<const float*>(from));
  const auto* halves = reinterpret_cast<const uint16_t*>(from);
  return dtype == DType::kF16 ? V::load_f16(halves) : V::load_bf16(halves);
}

template <ProductKind kKind>
STRATA_KERNEL_INLINE void convert_chunk(DType dtype, const std::byte* from, std::byte* to) {
#pragma GCC unroll 2
  for (int64_t half = 0; half < 2; half++) {
    const V::F values = widen(dtype, from + half * 16 * source_bytes(dtype));
    if constexpr (kKind == ProductKind::kF32)
      V::store(reinterpret_cast<float*>(to) + half * 16, values);
    if constexpr (kKind == ProductKind::kF16)
      V::store_f16(reinterpret_cast<uint16_t*>(to) + half * 16, values);
    if constexpr (kKind == ProductKind::kBf16)
      V::store_bf16(reinterpret_cast<uint16_t*>(to) + half * 16, values);
  }
}

template <ProductKind kKind>
struct Packer {
  static constexpr int64_t kElement = kKind == ProductKind::kF32 ? 4 : 2;
  static constexpr DType kOwn = kKind == ProductKind::kF32   ? DType::kF32
                                : kKind == ProductKind::kF16 ? DType::kF16
                                                             : DType::kBF16;
  static constexpr int64_t kTileBytes = kRows * kDeep * kElement;

  const tensor::PackArgs& args;
  int64_t row_bytes;

  STRATA_KERNEL_INLINE const std::byte* source(int64_t row, int64_t column) const {
    return static_cast<const std::byte*>(args.src) + row * row_bytes +
           column * source_bytes(args.src_dtype);
  }

  /// Tiles that are cut by the matrix's edge, or of another type, go through a buffer of whole
  /// rows.
  STRATA_KERNEL_INLINE void staged(int64_t row, int64_t column, std::byte* to) const {
    alignas(64) std::byte buffer[kTileBytes] = {};
    alignas(64) std::byte edge[kDeep * 4];
    const int64_t rows = args.rows - row < kRows ? args.rows - row : kRows;
    const int64_t columns = args.k - column < kDeep ? args.k - column : kDeep;
    const int64_t bytes = columns * source_bytes(args.src_dtype);
    for (int64_t r = 0; r < rows; r++) {
      const std::byte* from = source(row + r, column);
      std::byte* line = buffer + r * kDeep * kElement;
      if (columns < kDeep) {
        __builtin_memset(edge, 0, sizeof edge);
        __builtin_memcpy(edge, from, static_cast<size_t>(bytes));
        from = edge;
      }
      if (args.src_dtype == kOwn) {
        __builtin_memcpy(line, from, kDeep * kElement);
      } else {
        convert_chunk<kKind>(args.src_dtype, from, line);
      }
    }
    store_tile<kKind>({buffer, kDeep * kElement}, to);
  }

  STRATA_KERNEL_INLINE void tile(int64_t row, int64_t column, std::byte* to) const {
    if (args.src_dtype != kOwn || row + kRows > args.rows || column + kDeep > args.k)
      return staged(row, column, to);
    for (int64_t r = 0; r < kRows; r++) {
      for (int64_t line = 0; line < kDeep * kElement; line += 64)
        __builtin_prefetch(source(row + r, column) + kAhead + line, 0, 0);
    }
    store_tile<kKind>({source(row, column), row_bytes}, to);
  }

  void run() const {
    const int64_t chunks = (args.k + kDeep - 1) / kDeep;
    std::byte* to = args.dst + args.first_row / 32 * chunks * 2 * kTileBytes;
    for (int64_t row = 0; row < args.rows; row += 2 * kRows) {
      for (int64_t chunk = 0; chunk < chunks; chunk++) {
        tile(row, chunk * kDeep, to);
        tile(row + kRows, chunk * kDeep, to + kTileBytes);
        to += 2 * kTileBytes;
      }
    }
    _mm_sfence();  // other threads will read what was streamed
  }
};

}  // namespace

void pack_rows_avx2(const tensor::PackArgs& args) {
  const int64_t row_bytes = args.k * source_bytes(args.src_dtype);
  switch (args.kind) {
    case ProductKind::kBf16:
      return Packer<ProductKind::kBf16>{args, row_bytes}.run();
    case ProductKind::kF16:
      return Packer<ProductKind::kF16>{args, row_bytes}.run();
    case ProductKind::kF32:
      return Packer<ProductKind::kF32>{args, row_bytes}.run();
  }
}

}  // namespace strata::kernels
