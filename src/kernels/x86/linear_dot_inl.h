// bf16 linear kernels on units that multiply pairs of bf16 and add both products to an f32 lane
// (VDPBF16PS), for a backend D (x86/dot.h). Twice the arithmetic of FMAs on the same bits.
//
// A lane of the instruction does two rounded multiply-adds, first of the upper, then of the lower
// element of its pair. Fed with neighbours of K, as it is meant to be, it would mix the even and
// the odd chain of docs/design/numerics.md. Fed with (k, k + 2) it advances one chain by two links:
// the upper elements hold k = 4 q (or 4 q + 1), the lower ones k = 4 q + 2 (or 4 q + 3). Operands
// are put in that order once a pass; weights, which lie as neighbours, are put so in registers, two
// shifts and two blends for each two vectors, beside the up to 12 products that use each. Coded
// weights are expanded in that order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/linear_kernels.h"
#include "kernels/x86/dot.h"
#include "kernels/x86/linear_item_inl.h"

namespace strata::kernels {
namespace {

constexpr int kQuads = 8;                 // of k in a chunk
constexpr int64_t kPairTileBytes = 1024;  // of weights: a chunk of 16 outputs

/// One chunk of R rows x T tiles: sums[r][t] += e + o. `x` holds for each quad of k the pair of the
/// even chain, then that of the odd one.
template <class D, int R, int T, Weights kWeights>
STRATA_KERNEL_INLINE void dot_chunk(const std::byte* w, const uint16_t* x, float* sums,
                                    int64_t ahead) {
  using V = typename D::Vec;
  // With prefetches in the loop it stays a loop, as in linear_fma_inl.h.
  constexpr bool kAhead = kWeights == Weights::kStreamed;
  constexpr int kTogether = kAhead ? 2 : kQuads;
  typename V::F e[R][T], o[R][T];
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 2
    for (int t = 0; t < T; t++) e[r][t] = o[r][t] = V::zero();
  }
#pragma GCC unroll 1
  for (int first = 0; first < kQuads; first += kTogether) {
#pragma GCC unroll 8
    for (int q = first; q < first + kTogether; q++) {
      typename D::Pairs we[T], wo[T];
#pragma GCC unroll 2
      for (int t = 0; t < T; t++) {
        const std::byte* rows = w + t * kPairTileBytes + q * 128;
        if constexpr (kWeights == Weights::kChains) {
          we[t] = D::load(rows);
          wo[t] = D::load(rows + 64);
        } else {
          D::chains(rows, rows + 64, we[t], wo[t]);
        }
      }
      if constexpr (kAhead) {
#pragma GCC unroll 4
        for (int line = 0; line < 2 * T; line++)
          __builtin_prefetch(w + ahead + (q * 2 * T + line) * 64);
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) {
        const auto xe = D::broadcast(x + r * kDeep + 4 * q);
#pragma GCC unroll 2
        for (int t = 0; t < T; t++) e[r][t] = D::dot(e[r][t], xe, we[t]);
        const auto xo = D::broadcast(x + r * kDeep + 4 * q + 2);
#pragma GCC unroll 2
        for (int t = 0; t < T; t++) o[r][t] = D::dot(o[r][t], xo, wo[t]);
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

/// The chunk kernels of a backend D and a blocking B (linear_item_inl.h).
template <class D, class B>
struct DotChunks : B {
  using Vec = typename D::Vec;
  using X = uint16_t;
  static constexpr int64_t kPanelBytes = 2 * kPairTileBytes;

  static constexpr Weights kExpanded = Weights::kChains;

  template <int R, Weights kWeights>
  STRATA_KERNEL_INLINE static void chunk(const std::byte* w, const uint16_t* x, float* sums) {
    if constexpr (R > B::kOneTileRows) {
      dot_chunk<D, R, 2, kWeights>(w, x, sums, B::kAheadBytes);
    } else {
      dot_chunk<D, R, 1, kWeights>(w, x, sums, B::kAheadBytes);
      dot_chunk<D, R, 1, kWeights>(w + kPairTileBytes, x, sums + kWide, B::kAheadBytes);
    }
  }
};

/// Elements k, k + 1, k + 2, k + 3 of each quad become k + 2, k, k + 3, k + 1.
inline void pack_dot_rows(const PackRowsArgs& args) {
  auto* out = static_cast<std::byte*>(args.out);
  for (int64_t row = 0; row < args.rows; row++) {
    const std::byte* x = static_cast<const std::byte*>(args.x) + row * args.row_bytes;
    for (int64_t chunk = 0; chunk < args.chunks; chunk++) {
      uint64_t quads[kQuads];
      __builtin_memcpy(quads, x + chunk * sizeof quads, sizeof quads);
      for (uint64_t& quad : quads) {
        quad = quad << 48 >> 32 | (quad >> 32 & 0xffff) | quad >> 48 << 32 | quad >> 16 << 48;
      }
      __builtin_memcpy(out + (chunk * args.rows + row) * int64_t{sizeof quads}, quads,
                       sizeof quads);
    }
  }
}

template <class D, class B>
constexpr LinearKernels dot_kernels() {
  return {B::kGroupRows, B::kBlockRows, 2, pack_dot_rows, run_linear_item<DotChunks<D, B>>};
}

}  // namespace
}  // namespace strata::kernels
