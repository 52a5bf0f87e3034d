// The walk over a work item of a linear op, for the chunk kernels C of one kind of arithmetic unit
// (linear_fma_inl.h, linear_dot_inl.h).
//
// Order of work: for each panel of 32 outputs, for each stretch of chunks (its weights stay in L1),
// for each group of rows: C's chunks, which add into sums that live in L1. Bound at few rows: the
// bytes of w, read in address order.
//
// C offers Vec (simd/vec16.h), X (element of a packed operand), kPanelBytes (weights of a chunk of
// a panel), kExpanded (the Weights that coded ones become), the numbers of a blocking
// (linear_blocking.h) and
//   chunk<R, kWeights>(w, x, sums): sums[R][32] += one chunk of R rows; streamed weights it
//   prefetches.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/linear_kernels.h"
#include "kernels/simd/vec16.h"
#include "kernels/x86/linear_finish_inl.h"

namespace strata::kernels {
namespace {

constexpr int64_t kDeep = 32;       // of K in a chunk
constexpr int64_t kLineBytes = 64;  // of a cache

/// Weights as a group of rows meets them.
enum class Weights {
  kStreamed,  // packed, from memory: each chunk brings in all of the one C::kAheadBytes further on
  kInL1,      // packed
  kChains,    // expanded in tensor::WeightOrder::kChains
};

/// What a group of rows brings into the caches besides, while it computes.
struct Ahead {
  const std::byte* from = nullptr;
  int64_t lines = 0;  // of the cache with each chunk, one after the other
};

/// `chunks` chunks of R rows x a panel.
template <class C, int R, Weights kWeights>
[[gnu::noinline]] void group_times_panel(const std::byte* w, const typename C::X* x, float* sums,
                                         int64_t chunks, Ahead ahead) {
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    if constexpr (kWeights != Weights::kStreamed) {
      for (int64_t i = 0; i < ahead.lines; i++) __builtin_prefetch(ahead.from + i * kLineBytes);
      ahead.from += ahead.lines * kLineBytes;
    }
    C::template chunk<R, kWeights>(w, x, sums);
    w += C::kPanelBytes;
    x += R * kDeep;
  }
}

template <class C, Weights kWeights>
STRATA_KERNEL_INLINE void any_group_times_panel(int64_t rows, const std::byte* w,
                                                const typename C::X* x, float* sums, int64_t chunks,
                                                Ahead ahead) {
  static_assert(C::kGroupRows == 6);
  switch (rows) {
    case 1:
      return group_times_panel<C, 1, kWeights>(w, x, sums, chunks, ahead);
    case 2:
      return group_times_panel<C, 2, kWeights>(w, x, sums, chunks, ahead);
    case 3:
      return group_times_panel<C, 3, kWeights>(w, x, sums, chunks, ahead);
    case 4:
      return group_times_panel<C, 4, kWeights>(w, x, sums, chunks, ahead);
    case 5:
      return group_times_panel<C, 5, kWeights>(w, x, sums, chunks, ahead);
    default:
      return group_times_panel<C, 6, kWeights>(w, x, sums, chunks, ahead);
  }
}

/// One panel times a block of rows, cut in depth so that a stretch of weights stays in L1 for all
/// groups of rows. Each group brings in its part of the next stretch: were it one group's task,
/// that one would wait for memory and memory for the others.
template <class C>
STRATA_KERNEL_INLINE void panel_sums(const LinearItem& item, const RowGroups& groups,
                                     const std::byte* w, float* sums) {
  constexpr int64_t kLines = C::kPanelBytes / kLineBytes;
  const auto* x = static_cast<const typename C::X*>(item.x);
  for (int64_t chunk = 0; chunk < item.chunks; chunk += C::kStretchChunks) {
    const int64_t chunks =
        item.chunks - chunk < C::kStretchChunks ? item.chunks - chunk : C::kStretchChunks;
    const std::byte* from = w + chunk * C::kPanelBytes;
    for (int64_t g = 0; g < groups.groups; g++) {
      const int64_t row = groups.begin(g), rows = groups.count(g);
      const auto* group_x = x + (row * item.chunks + chunk * rows) * kDeep;
      float* group_sums = sums + row * 2 * kWide;
      if (groups.groups == 1) {
        any_group_times_panel<C, Weights::kStreamed>(rows, from, group_x, group_sums, chunks, {});
      } else {
        const int64_t lines = (kLines + groups.groups - 1) / groups.groups;
        const std::byte* ahead = from + chunks * (C::kPanelBytes + g * lines * kLineBytes);
        any_group_times_panel<C, Weights::kInL1>(rows, from, group_x, group_sums, chunks,
                                                 {ahead, lines});
      }
    }
  }
}

// Of a coded panel in one go where there is one group of rows: few, so that memory is not left to
// wait for long.
constexpr int64_t kFewChunks = 2;

/// The same for a coded panel: each stretch is expanded into L1 before its groups of rows, in the
/// order that C multiplies.
template <class C>
[[gnu::noinline]] void coded_panel_sums(const LinearItem& item, const RowGroups& groups,
                                        const std::byte* w, float* sums) {
  constexpr int64_t kLines = tensor::kCodedChunkBytes / kLineBytes;
  constexpr auto kOrder = C::kExpanded == Weights::kChains ? tensor::WeightOrder::kChains
                                                           : tensor::WeightOrder::kPacked;
  alignas(64) std::byte expanded[C::kStretchChunks * C::kPanelBytes];
  const int64_t stretch = groups.groups == 1 ? kFewChunks : C::kStretchChunks;
  const int64_t lines = groups.groups == 1 ? 0 : (kLines + groups.groups - 1) / groups.groups;
  const auto* x = static_cast<const typename C::X*>(item.x);
  for (int64_t chunk = 0; chunk < item.chunks; chunk += stretch) {
    const int64_t chunks = item.chunks - chunk < stretch ? item.chunks - chunk : stretch;
    item.expand({w, item.panel_bytes, item.chunks, chunk, chunks, expanded, kOrder});
    const std::byte* next = chunk + chunks < item.chunks
                                ? w + tensor::coded_chunk_offset(item.chunks, chunk + chunks)
                                : w + item.panel_bytes;
    for (int64_t g = 0; g < groups.groups; g++) {
      const int64_t row = groups.begin(g), rows = groups.count(g);
      const auto* group_x = x + (row * item.chunks + chunk * rows) * kDeep;
      any_group_times_panel<C, C::kExpanded>(rows, expanded, group_x, sums + row * 2 * kWide,
                                             chunks, {next, lines});
      next += chunks * lines * kLineBytes;
    }
  }
}

template <class C>
void run_linear_item(const LinearItem& item) {
  using V = typename C::Vec;
  alignas(64) float sums[C::kBlockRows * 2 * kWide];
  const RowGroups groups = RowGroups::cut(item.rows, C::kGroupRows);
  for (int64_t panel = 0; panel < item.panels; panel++) {
    const std::byte* w = item.w + panel * item.panel_bytes;
    for (int64_t i = 0; i < item.rows * 2 * kWide; i += kWide) V::store(sums + i, V::zero());
    if (item.expand == nullptr) {
      panel_sums<C>(item, groups, w, sums);
    } else {
      coded_panel_sums<C>(item, groups, w, sums);
    }
    const int64_t left = item.cols - panel * 2 * kWide;
    finish_panel<V>(sums, item, panel * 2 * kWide, left < 2 * kWide ? left : 2 * kWide);
  }
}

}  // namespace
}  // namespace strata::kernels
