// Tile functions of attention for a vector backend V (simd/vec16.h), an element type E of the cache
// and a blocking B. Included by one unit per instruction set.
//
// Keys lie in lanes for q.k and head columns for P.v, both read strictly in address order: tile
// after tile, in each all heads of the item. Sums live in L1 between chunks. Bound: one token's
// rows by the bytes of the cache, many rows by the FMA units. What is read a key tile later is
// fetched into L2 meanwhile. bench/attention_bench.cc measures it.
#pragma once

#include <utility>

#include "kernels/x86/attention_softmax_inl.h"
#include "kernels/x86/dot.h"
#include "kernels/x86/tile_rows_inl.h"

namespace strata::kernels {
namespace {

/// 32 registers of 16 lanes: 12 rows x {even, odd} = 24 chains, 2 vectors of keys, broadcasts from
/// memory.
struct WideAttention {
  static constexpr int kMaxRows = 12;
  static constexpr int kBothChainsRows = 12;  // up to here the even and the odd chain run at once
};

/// 16 registers of 8 lanes: 6 rows x one chain x 2 halves = 12 registers, 2 of keys, 1 or 2
/// broadcasts.
struct NarrowAttention {
  static constexpr int kMaxRows = 6;
  static constexpr int kBothChainsRows = 2;
};

/// Keys and values of bf16 whose products run on a backend D of dot.h. Operands are pairs, 16 in
/// the room of a chunk's 32 floats.
template <class D>
struct Bf16PairTile {
  static constexpr int64_t kTileBytes = 1024;
  static constexpr bool kPairs = true;
  using Dot = D;
};

/// What a chunk product reads: a tile of 16 outputs and R operand rows.
struct TileProduct {
  const std::byte* w;
  const float* x;          // [R][32]
  const std::byte* fetch;  // a tile to fetch ahead
  int64_t pairs;           // of depth that count (the operands of the others are +0)
};

template <class E>
STRATA_KERNEL_INLINE void fetch_pair(const std::byte* tile, int64_t pair) {
  constexpr int64_t kLines = E::kTileBytes / 1024;
#pragma GCC unroll 2
  for (int64_t line = 0; line < kLines; line++)
    __builtin_prefetch(tile + (pair * kLines + line) * 64, 0, 2);
}

/// e + o of R rows and a tile, both chains at once.
template <class V, class E, int R>
STRATA_KERNEL_INLINE void both_chains(const TileProduct& p, typename V::F (&sums)[R]) {
  using F = typename V::F;
  F e[R], o[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) e[r] = o[r] = V::zero();
#pragma GCC unroll 2
  for (int64_t i = 0; i < p.pairs; i++) {
    const F even = E::even(p.w, i), odd = E::odd(p.w, i);
    fetch_pair<E>(p.fetch, i);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      e[r] = V::fma(V::broadcast(p.x[r * kDepth + 2 * i]), even, e[r]);
      o[r] = V::fma(V::broadcast(p.x[r * kDepth + 2 * i + 1]), odd, o[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) sums[r] = V::add(e[r], o[r]);
}

/// The same with the odd chains after the even ones: half the registers.
template <class V, class E, int R>
STRATA_KERNEL_INLINE void chain_after_chain(const TileProduct& p, typename V::F (&sums)[R]) {
  using F = typename V::F;
  alignas(64) float even_sums[R * kCols];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) sums[r] = V::zero();
#pragma GCC unroll 4
  for (int64_t i = 0; i < p.pairs; i++) {
    const F even = E::even(p.w, i);
    fetch_pair<E>(p.fetch, i);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
      sums[r] = V::fma(V::broadcast(p.x[r * kDepth + 2 * i]), even, sums[r]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
    V::store(even_sums + r * kCols, sums[r]);
    sums[r] = V::zero();
  }
#pragma GCC unroll 4
  for (int64_t i = 0; i < p.pairs; i++) {
    const F odd = E::odd(p.w, i);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
      sums[r] = V::fma(V::broadcast(p.x[r * kDepth + 2 * i + 1]), odd, sums[r]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) sums[r] = V::add(V::load(even_sums + r * kCols), sums[r]);
}

/// The same from operands in pairs (dot.h) on units that multiply such.
template <class E, int R, class F>
STRATA_KERNEL_INLINE void pair_chains(const TileProduct& p, F (&sums)[R]) {
  using D = typename E::Dot;
  F e[R], o[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) e[r] = o[r] = D::Vec::zero();
#pragma GCC unroll 2
  for (int64_t q = 0; q < (p.pairs + 1) / 2; q++) {
    typename D::Pairs even, odd;
    D::chains(p.w + q * 128, p.w + q * 128 + 64, even, odd);
    fetch_pair<E>(p.fetch, 2 * q);
    fetch_pair<E>(p.fetch, 2 * q + 1);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      e[r] = D::dot(e[r], D::broadcast(p.x + r * kDepth + 2 * q), even);
      o[r] = D::dot(o[r], D::broadcast(p.x + r * kDepth + 2 * q + 1), odd);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) sums[r] = D::Vec::add(e[r], o[r]);
}

/// acc[r] = acc[r] + (e + o), at `stride` from row to row; the first chunk starts from +0.
template <class V, class E, class B, int R>
STRATA_KERNEL_INLINE void accumulate(const TileProduct& p, float* acc, int64_t stride, bool first) {
  typename V::F sums[R];
  if constexpr (E::kPairs) {
    pair_chains<E, R>(p, sums);
  } else if constexpr (R <= B::kBothChainsRows) {
    both_chains<V, E, R>(p, sums);
  } else {
    chain_after_chain<V, E, R>(p, sums);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) {
    V::store(acc + r * stride, V::add(first ? V::zero() : V::load(acc + r * stride), sums[r]));
  }
}

/// Scores of one key tile of one head.
template <class V, class E, class B, int R>
STRATA_KERNEL_INLINE void score_tile(TileProduct p, float* scores, int64_t chunks) {
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
#pragma GCC unroll 1
    for (int64_t half = 0; half < 2; half++) {
      accumulate<V, E, B, R>(p, scores + half * kCols, kDepth, chunk == 0);
      p.w += E::kTileBytes;
      p.fetch += E::kTileBytes;
    }
    p.x += R * kDepth;
  }
}

/// P.v of one key tile of one head into its column tiles.
template <class V, class E, class B, int R>
STRATA_KERNEL_INLINE void value_tile(TileProduct p, float* o, int64_t column_tiles, bool first) {
#pragma GCC unroll 1
  for (int64_t column = 0; column < column_tiles; column++) {
    accumulate<V, E, B, R>(p, o + column * R * kCols, kCols, first);
    p.w += E::kTileBytes;
    p.fetch += E::kTileBytes;
  }
}

STRATA_KERNEL_INLINE void pair_chunks(float* x, int64_t chunks) {
  for (int64_t chunk = 0; chunk < chunks; chunk++) pair_chunk(x + chunk * kDepth);
}

template <class V, class E, class B, bool kRound, int R>
[[gnu::noinline]] void split_rows(const AttentionSplit& s) {
  const int64_t score_stride = kSplitTiles * R * kDepth;
  for (int64_t tile = 0; tile < s.tiles; tile++) {
    const std::byte* ahead = tile + 1 < s.tiles ? s.k[tile + 1] : s.v[0];
    for (int64_t h = 0; h < s.heads; h++) {
      const int64_t at = h * s.head_bytes;
      const TileProduct p = {s.k[tile] + at, s.q + h * s.q_stride, ahead + at, kDepth / 2};
      score_tile<V, E, B, R>(p, s.scores + h * score_stride + tile * R * kDepth, s.chunks);
    }
  }
  for (int64_t h = 0; h < s.heads; h++) {
    softmax_rows<V, kRound>(s, h);
    if constexpr (E::kPairs) pair_chunks(s.scores + h * score_stride, s.tiles * R);
  }
  for (int64_t tile = 0; tile < s.tiles; tile++) {
    const std::byte* ahead = tile + 1 < s.tiles ? s.v[tile + 1] : s.next;
    // P of the keys that nobody sees is +0: their products change nothing.
    const int64_t pairs = tile == s.tiles - 1 ? (s.last_keys + 1) / 2 : kDepth / 2;
    for (int64_t h = 0; h < s.heads; h++) {
      const int64_t at = h * s.head_bytes;
      const float* probabilities = s.scores + h * score_stride + tile * R * kDepth;
      value_tile<V, E, B, R>({s.v[tile] + at, probabilities, ahead + at, pairs},
                             s.o + h * s.result_stride, s.column_tiles, tile == 0);
    }
  }
}

template <class V, class E, class B, bool kRound, int... kRows>
STRATA_KERNEL_INLINE void dispatch_rows(const AttentionSplit& s,
                                        std::integer_sequence<int, kRows...>) {
  ((s.rows == kRows + 1 ? split_rows<V, E, B, kRound, kRows + 1>(s) : void()), ...);
}

template <class V, class E, class B, bool kRound>
void split_block(const AttentionSplit& s) {
  dispatch_rows<V, E, B, kRound>(s, std::make_integer_sequence<int, B::kMaxRows>());
}

template <class V>
void prepare_pairs(const AttentionPrepare& a) {
  prepare_bf16<V>(a);
  pair_chunks(a.out, a.chunks * a.rows);
}

template <class V, class E, class B, class Operand>
constexpr AttentionKernels attention_kernels(void (*prepare)(const AttentionPrepare&)) {
  return {B::kMaxRows,
          prepare,
          split_block < V,
          E,
          B,
          sizeof(Operand) == 2 >
          , merge_block<V>, finish_block<V, Operand>};
}

}  // namespace
}  // namespace strata::kernels

// Defines one table of tile functions for the three product kinds.
#define STRATA_ATTENTION_KERNELS(name, V, B)                           \
  const AttentionKernels name[3] = {                                   \
      attention_kernels<V, Bf16Tile<V>, B, uint16_t>(prepare_bf16<V>), \
      attention_kernels<V, F16Tile<V>, B, float>(prepare_f32<V>),      \
      attention_kernels<V, F32Tile<V>, B, float>(prepare_f32<V>)}

// The same for bf16 alone on a backend D of dot.h.
#define STRATA_PAIR_ATTENTION_KERNELS(name, D, B) \
  const AttentionKernels name[3] = {              \
      attention_kernels<D::Vec, Bf16PairTile<D>, B, uint16_t>(prepare_pairs<D::Vec>), {}, {}}
