// The walk over a work item of a linear op, for the chunk kernels C of one kind of arithmetic unit
// (linear_fma_inl.h, linear_dot_inl.h).
//
// Order of work: for each panel of 32 outputs, for each stretch of chunks (its weights stay in L1),
// for each group of rows: C's chunks, which add into sums that live in L1. Bound at few rows: the
// bytes of w, read in address order.
//
// C offers Vec (simd/vec16.h), X (element of a packed operand), kPanelBytes (weights of a chunk of
// a panel), the numbers of a blocking (linear_blocking.h) and
//   chunk<R, kAhead>(w, x, sums, ahead): sums[R][32] += one chunk of R rows; with kAhead it
//   prefetches the weights that lie `ahead` bytes further on.
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

/// What a group of rows brings into the caches while it computes.
struct Ahead {
  int64_t bytes = 0;  // how much further on it lies
  int64_t lines = 0;  // of the cache with each chunk, one after the other
};

/// `chunks` chunks of R rows x a panel. With kAll each chunk brings in all of the one that lies
/// ahead, else a few lines.
template <class C, int R, bool kAll>
[[gnu::noinline]] void group_times_panel(const std::byte* w, const typename C::X* x, float* sums,
                                         int64_t chunks, Ahead ahead) {
  const std::byte* next = w + ahead.bytes;
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    if constexpr (!kAll) {
      for (int64_t i = 0; i < ahead.lines; i++) __builtin_prefetch(next + i * kLineBytes);
      next += ahead.lines * kLineBytes;
    }
    C::template chunk<R, kAll>(w, x, sums, ahead.bytes);
    w += C::kPanelBytes;
    x += R * kDeep;
  }
}

template <class C, bool kAll>
STRATA_KERNEL_INLINE void any_group_times_panel(int64_t rows, const std::byte* w,
                                                const typename C::X* x, float* sums, int64_t chunks,
                                                Ahead ahead) {
  static_assert(C::kGroupRows == 6);
  switch (rows) {
    case 1:
      return group_times_panel<C, 1, kAll>(w, x, sums, chunks, ahead);
    case 2:
      return group_times_panel<C, 2, kAll>(w, x, sums, chunks, ahead);
    case 3:
      return group_times_panel<C, 3, kAll>(w, x, sums, chunks, ahead);
    case 4:
      return group_times_panel<C, 4, kAll>(w, x, sums, chunks, ahead);
    case 5:
      return group_times_panel<C, 5, kAll>(w, x, sums, chunks, ahead);
    default:
      return group_times_panel<C, 6, kAll>(w, x, sums, chunks, ahead);
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
        any_group_times_panel<C, true>(rows, from, group_x, group_sums, chunks, {C::kAheadBytes});
      } else {
        const int64_t lines = (kLines + groups.groups - 1) / groups.groups;
        const int64_t before = g * chunks * lines * kLineBytes;
        any_group_times_panel<C, false>(rows, from, group_x, group_sums, chunks,
                                        {chunks * C::kPanelBytes + before, lines});
      }
    }
  }
}

constexpr int64_t kExpandedChunks = 2;

/// The same for a coded panel: each stretch is expanded into L1 before its groups of rows.
template <class C>
[[gnu::noinline]] void coded_panel_sums(const LinearItem& item, const RowGroups& groups,
                                        const std::byte* w, float* sums) {
  alignas(64) std::byte stretch[kExpandedChunks * C::kPanelBytes];
  const auto* x = static_cast<const typename C::X*>(item.x);
  for (int64_t chunk = 0; chunk < item.chunks; chunk += kExpandedChunks) {
    const int64_t chunks =
        item.chunks - chunk < kExpandedChunks ? item.chunks - chunk : kExpandedChunks;
    item.expand({w, item.panel_bytes, item.chunks, chunk, chunks, stretch});
    for (int64_t g = 0; g < groups.groups; g++) {
      const int64_t row = groups.begin(g), rows = groups.count(g);
      const auto* group_x = x + (row * item.chunks + chunk * rows) * kDeep;
      any_group_times_panel<C, false>(rows, stretch, group_x, sums + row * 2 * kWide, chunks, {});
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
