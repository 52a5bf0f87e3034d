// Attention on tiles T (x86/amx.h) for bf16, with the softmax on vectors V (simd/vec16.h). Keys and
// values are the B operand as they lie in the cache, rows of q and of P the A operand; one block of
// up to 16 rows is one tile high.
//
// Bound: few rows by the bytes of the cache, many by exp and by packing P. Sums of a key tile stay
// in the tiles over the head size. Those of P.v stay there over a split where one head is worked
// on; with several heads the cache is read in address order, tile after tile, in each all heads,
// and the sums go through L1 in f32, which is exact.
#pragma once

#include "kernels/x86/amx.h"
#include "kernels/x86/attention_softmax_inl.h"

namespace strata::kernels {
namespace {

constexpr int64_t kOperandTileBytes = 1024;            // of keys or values: 32 deep, 16 wide
constexpr int64_t kRowBytes = kDepth * sizeof(float);  // of q or P: 64 bytes of bf16, then room
constexpr int64_t kSumBytes = kCols * sizeof(float);

STRATA_KERNEL_INLINE void fetch_tile(const std::byte* tile) {
  for (int64_t line = 0; line < kOperandTileBytes; line += 64)
    __builtin_prefetch(tile + line, 0, 2);
}

/// Scores of one key tile of one head: [rows][32] f32.
template <class Tiles>
STRATA_KERNEL_INLINE void amx_scores(Tiles& tiles, const AttentionSplit& s, const std::byte* k,
                                     const std::byte* ahead, const float* q, float* scores) {
  tiles.template zero<0>();
  tiles.template zero<1>();
  for (int64_t chunk = 0; chunk < s.chunks; chunk++) {
    fetch_tile(ahead + 2 * chunk * kOperandTileBytes);
    fetch_tile(ahead + (2 * chunk + 1) * kOperandTileBytes);
    tiles.template load<4>(q + chunk * s.rows * kDepth, kRowBytes);
    tiles.template load<6>(k + 2 * chunk * kOperandTileBytes, 64);
    tiles.template product<0, 4, 6>();
    tiles.template load<7>(k + (2 * chunk + 1) * kOperandTileBytes, 64);
    tiles.template product<1, 4, 7>();
  }
  tiles.template store<0>(scores, kRowBytes);
  tiles.template store<1>(scores + kCols, kRowBytes);
}

/// P.v of one key tile of one head, added to the sums in memory.
template <class Tiles>
STRATA_KERNEL_INLINE void amx_values_of_tile(Tiles& tiles, const AttentionSplit& s, int64_t tile,
                                             int64_t head, const float* p) {
  const int64_t at = head * s.head_bytes;
  const std::byte* ahead = (tile + 1 < s.tiles ? s.v[tile + 1] : s.next) + at;
  tiles.template load<4>(p, kRowBytes);
  for (int64_t column = 0; column < s.column_tiles; column++) {
    float* sums = s.o + head * s.result_stride + column * s.rows * kCols;
    fetch_tile(ahead + column * kOperandTileBytes);
    if (tile == 0) {
      tiles.template zero<0>();
    } else {
      tiles.template load<0>(sums, kSumBytes);
    }
    tiles.template load<6>(s.v[tile] + at + column * kOperandTileBytes, 64);
    tiles.template product<0, 4, 6>();
    tiles.template store<0>(sums, kSumBytes);
  }
}

/// P.v of one head over all key tiles for up to four column tiles, which stay in the tiles.
template <class Tiles>
STRATA_KERNEL_INLINE void amx_values_of_columns(Tiles& tiles, const AttentionSplit& s,
                                                const float* p, int64_t column, int64_t columns) {
  tiles.template zero<0>();
  tiles.template zero<1>();
  tiles.template zero<2>();
  tiles.template zero<3>();
  for (int64_t tile = 0; tile < s.tiles; tile++) {
    const std::byte* v = s.v[tile] + column * kOperandTileBytes;
    const std::byte* ahead =
        (tile + 1 < s.tiles ? s.v[tile + 1] : s.next) + column * kOperandTileBytes;
    tiles.template load<4>(p + tile * s.rows * kDepth, kRowBytes);
    for (int64_t i = 0; i < columns; i++) fetch_tile(ahead + i * kOperandTileBytes);
    tiles.template load<6>(v, 64);
    tiles.template product<0, 4, 6>();
    if (columns > 1) {
      tiles.template load<7>(v + kOperandTileBytes, 64);
      tiles.template product<1, 4, 7>();
    }
    if (columns > 2) {
      tiles.template load<6>(v + 2 * kOperandTileBytes, 64);
      tiles.template product<2, 4, 6>();
    }
    if (columns > 3) {
      tiles.template load<7>(v + 3 * kOperandTileBytes, 64);
      tiles.template product<3, 4, 7>();
    }
  }
  float* o = s.o + column * s.rows * kCols;
  tiles.template store<0>(o, kSumBytes);
  if (columns > 1) tiles.template store<1>(o + s.rows * kCols, kSumBytes);
  if (columns > 2) tiles.template store<2>(o + 2 * s.rows * kCols, kSumBytes);
  if (columns > 3) tiles.template store<3>(o + 3 * s.rows * kCols, kSumBytes);
}

/// P, bf16 values held as f32, becomes operand rows in place: 64 bytes in the room of 128.
template <class V>
STRATA_KERNEL_INLINE void narrow_rows(float* p, int64_t rows) {
  for (int64_t row = 0; row < rows; row++) {
    float* from = p + row * kDepth;
    const typename V::F low = V::load(from), high = V::load(from + kCols);
    auto* to = reinterpret_cast<uint16_t*>(from);
    V::store_bf16(to, low);
    V::store_bf16(to + kCols, high);
  }
}

template <class Tiles>
STRATA_KERNEL_INLINE void amx_values(Tiles& tiles, const AttentionSplit& s, int64_t score_stride) {
  if (s.heads == 1) {
    for (int64_t column = 0; column < s.column_tiles; column += 4) {
      const int64_t left = s.column_tiles - column;
      amx_values_of_columns(tiles, s, s.scores, column, left < 4 ? left : 4);
    }
    return;
  }
  for (int64_t tile = 0; tile < s.tiles; tile++) {
    for (int64_t h = 0; h < s.heads; h++) {
      amx_values_of_tile(tiles, s, tile, h, s.scores + h * score_stride + tile * s.rows * kDepth);
    }
  }
}

template <class Tiles, class V>
void amx_split(const AttentionSplit& s) {
  const int64_t score_stride = kSplitTiles * s.rows * kDepth;
  Tiles tiles;
  tiles.configure(static_cast<int>(s.rows), static_cast<int>(s.rows));
  for (int64_t tile = 0; tile < s.tiles; tile++) {
    const std::byte* ahead = tile + 1 < s.tiles ? s.k[tile + 1] : s.v[0];
    for (int64_t h = 0; h < s.heads; h++) {
      const int64_t at = h * s.head_bytes;
      amx_scores(tiles, s, s.k[tile] + at, ahead + at, s.q + h * s.q_stride,
                 s.scores + h * score_stride + tile * s.rows * kDepth);
    }
  }
  for (int64_t h = 0; h < s.heads; h++) {
    softmax_rows<V, true>(s, h);
    narrow_rows<V>(s.scores + h * score_stride, s.tiles * s.rows);
  }
  amx_values(tiles, s, score_stride);
  tiles.release();
}

inline void prepare_amx(const AttentionPrepare& a) {
  for (int64_t row = 0; row < a.rows; row++) {
    const auto* q = static_cast<const std::byte*>(a.q[row]);
    for (int64_t chunk = 0; chunk < a.chunks; chunk++)
      __builtin_memcpy(a.out + (chunk * a.rows + row) * kDepth, q + chunk * 64, 64);
  }
}

template <class Tiles, class V>
constexpr AttentionKernels amx_attention_kernels() {
  return {kMaxBlockRows, prepare_amx, amx_split<Tiles, V>, merge_block<V>,
          finish_block<V, uint16_t>};
}

}  // namespace
}  // namespace strata::kernels
