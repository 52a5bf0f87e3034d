// Linear kernels on FMA units, for a vector backend V (simd/vec16.h) and a blocking B. Included by
// one unit per instruction set. The walk over an item is linear_item_inl.h's; here is one chunk:
// the even and the odd chain of every (row, output) in registers, then one addition into the sums.
// Bound at many rows: the FMA units, which is why the inner loop holds group rows x tiles x
// parities chains at once. bench/linear_bench.cc measures it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/linear_kernels.h"
#include "kernels/simd/vec16.h"
#include "kernels/x86/linear_item_inl.h"
#include "kernels/x86/tile_rows_inl.h"

namespace strata::kernels {
namespace {

// Pairs of k that the chains unroll. With prefetches in the loop it stays a loop of four: unrolled
// whole, the compiler moves the prefetches together and their burst stalls the line fill buffers (a
// third slower at 4 to 16 rows).
template <bool kAhead>
constexpr int kUnroll = kAhead ? 4 : 16;

/// One chunk of R rows x T tiles, both chains at once: sums[r][t] += e + o.
template <class V, class W, int R, int T, bool kAhead>
STRATA_KERNEL_INLINE void chunk_both(const std::byte* w, const float* x, float* sums,
                                     int64_t ahead) {
  using F = typename V::F;
  F e[R][T], o[R][T];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 2
    for (int t = 0; t < T; t++) e[r][t] = o[r][t] = V::zero();
  }
#pragma GCC unroll 1
  for (int first = 0; first < kDeep / 2; first += kUnroll<kAhead>) {
#pragma GCC unroll 16
    for (int i = first; i < first + kUnroll<kAhead>; i++) {
      F we[T], wo[T];
#pragma GCC unroll 2
      for (int t = 0; t < T; t++) {
        we[t] = W::even(w + t * W::kTileBytes, i);
        wo[t] = W::odd(w + t * W::kTileBytes, i);
      }
      if constexpr (kAhead) {
#pragma GCC unroll 4
        for (int64_t line = 0; line < T * W::kTileBytes / 1024; line++) {
          __builtin_prefetch(w + ahead + (i * (T * W::kTileBytes / 1024) + line) * 64);
        }
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) {
        const F xe = V::broadcast(x[r * kDeep + 2 * i]);
#pragma GCC unroll 2
        for (int t = 0; t < T; t++) e[r][t] = V::fma(xe, we[t], e[r][t]);
        const F xo = V::broadcast(x[r * kDeep + 2 * i + 1]);
#pragma GCC unroll 2
        for (int t = 0; t < T; t++) o[r][t] = V::fma(xo, wo[t], o[r][t]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 2
    for (int t = 0; t < T; t++) {
      float* sum = sums + r * 2 * kWide + t * kWide;
      V::store(sum, V::add(V::load(sum), V::add(e[r][t], o[r][t])));
    }
  }
}

/// One chunk of R rows x one tile, the even pass and then the odd pass over the same tile: half the
/// registers.
template <class V, class W, int R, bool kAhead>
STRATA_KERNEL_INLINE void chunk_passes(const std::byte* w, const float* x, float* sums,
                                       int64_t ahead) {
  using F = typename V::F;
  F e[R], o[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) e[r] = V::zero();
#pragma GCC unroll 1
  for (int first = 0; first < kDeep / 2; first += kUnroll<kAhead>) {
#pragma GCC unroll 16
    for (int i = first; i < first + kUnroll<kAhead>; i++) {
      const F we = W::even(w, i);
      if constexpr (kAhead) __builtin_prefetch(w + ahead + i * (W::kTileBytes / 16));
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) e[r] = V::fma(V::broadcast(x[r * kDeep + 2 * i]), we, e[r]);
    }
  }
  alignas(64) float even[R * kWide];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) V::store(even + r * kWide, e[r]);
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) o[r] = V::zero();
#pragma GCC unroll 1
  for (int first = 0; first < kDeep / 2; first += kUnroll<kAhead>) {
#pragma GCC unroll 16
    for (int i = first; i < first + kUnroll<kAhead>; i++) {
      const F wo = W::odd(w, i);
      if constexpr (kAhead && W::kTileBytes > 1024)
        __builtin_prefetch(w + ahead + i * (W::kTileBytes / 16) + 64);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) o[r] = V::fma(V::broadcast(x[r * kDeep + 2 * i + 1]), wo, o[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
    float* sum = sums + r * 2 * kWide;
    V::store(sum, V::add(V::load(sum), V::add(V::load(even + r * kWide), o[r])));
  }
}

/// The chunk kernels of a vector backend V, weights of type W (tile_rows_inl.h) and a blocking B
/// (linear_item_inl.h).
template <class V, class W, class B>
struct FmaChunks : B {
  using Vec = V;
  using X = float;
  static constexpr int64_t kPanelBytes = 2 * W::kTileBytes;  // of a chunk

  static constexpr Weights kExpanded = Weights::kInL1;

  template <int R, Weights kWeights>
  STRATA_KERNEL_INLINE static void chunk(const std::byte* w, const float* x, float* sums) {
    constexpr bool kAhead = kWeights == Weights::kStreamed;
    constexpr int64_t ahead = B::kAheadBytes;
    if constexpr (R <= B::kBothTilesRows && R > B::kOneTileRows) {
      chunk_both<V, W, R, 2, kAhead>(w, x, sums, ahead);
    } else if constexpr (R <= B::kBothChainsRows) {
      chunk_both<V, W, R, 1, kAhead>(w, x, sums, ahead);
      chunk_both<V, W, R, 1, kAhead>(w + W::kTileBytes, x, sums + kWide, ahead);
    } else {
      chunk_passes<V, W, R, kAhead>(w, x, sums, ahead);
      chunk_passes<V, W, R, kAhead>(w + W::kTileBytes, x, sums + kWide, ahead);
    }
  }
};

template <class V>
void pack_bf16_rows(const PackRowsArgs& args) {
  float* out = static_cast<float*>(args.out);
  for (int64_t row = 0; row < args.rows; row++) {
    const auto* x = reinterpret_cast<const uint16_t*>(static_cast<const std::byte*>(args.x) +
                                                      row * args.row_bytes);
    for (int64_t chunk = 0; chunk < args.chunks; chunk++) {
      float* to = out + (chunk * args.rows + row) * kDeep;
      V::store(to, V::load_bf16(x + chunk * kDeep));
      V::store(to + kWide, V::load_bf16(x + chunk * kDeep + kWide));
    }
  }
}

template <class V>
void pack_f32_rows(const PackRowsArgs& args) {
  float* out = static_cast<float*>(args.out);
  for (int64_t row = 0; row < args.rows; row++) {
    const auto* x = reinterpret_cast<const float*>(static_cast<const std::byte*>(args.x) +
                                                   row * args.row_bytes);
    for (int64_t chunk = 0; chunk < args.chunks; chunk++) {
      float* to = out + (chunk * args.rows + row) * kDeep;
      V::store(to, V::load(x + chunk * kDeep));
      V::store(to + kWide, V::load(x + chunk * kDeep + kWide));
    }
  }
}

template <class V, template <class> class W, class B>
constexpr LinearKernels linear_kernels(void (*pack)(const PackRowsArgs&)) {
  return {B::kGroupRows, B::kBlockRows, 4, pack, run_linear_item<FmaChunks<V, W<V>, B>>};
}

}  // namespace
}  // namespace strata::kernels

// Defines one table of kernels for the three product kinds.
#define STRATA_LINEAR_KERNELS(name, V, B)                                           \
  const LinearKernels name[3] = {linear_kernels<V, Bf16Tile, B>(pack_bf16_rows<V>), \
                                 linear_kernels<V, F16Tile, B>(pack_f32_rows<V>),   \
                                 linear_kernels<V, F32Tile, B>(pack_f32_rows<V>)}
