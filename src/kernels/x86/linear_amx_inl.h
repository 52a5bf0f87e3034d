// bf16 linear kernels on tiles T (x86/amx.h) with epilogues on vectors V (simd/vec16.h). Weights
// are the B operand as they lie in memory, operand rows the A operand; C is 2 x 2 tiles: 32 rows x
// 32 outputs. Driver: kernels/linear.cc.
//
// Bound: weight bytes up to about 48 rows, then feeding tiles from L2. Hence the depth in one go up
// to 64 rows (C never leaves the tiles) and in stretches of 256 for more rows (W of a stretch, 16
// KiB, stays in L1; C goes through memory in f32, which is exact, so the bits stay).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/linear_kernels.h"
#include "kernels/simd/vec16.h"
#include "kernels/x86/amx.h"
#include "kernels/x86/linear_finish_inl.h"

namespace strata::kernels {
namespace {

constexpr int64_t kTileBytes = 1024;
constexpr int64_t kPairRows = 32;  // a group: two tiles of rows
constexpr int64_t kAmxBlockRows =
    256;  // 1 MiB of operands at K = 2048, the most that L2 should hold beside the weights
constexpr int64_t kWholeDepthRows = 64;
constexpr int64_t kStretchChunks = 8;

// How far ahead weights are fetched, in bytes; more rows give each line more time. In stretches it
// is the next stretch.
STRATA_KERNEL_INLINE int64_t ahead_bytes(int64_t rows) { return rows <= 16 ? 8192 : 16384; }

struct Stretch {
  const std::byte* w;  // [chunks][2 tiles]
  const std::byte* x;  // [chunks][rows][32] bf16
  float* sums;         // [rows][32]
  int64_t chunks;
  int64_t rows;        // 1..32
  int64_t ahead;       // prefetch distance in bytes
  int64_t first_line;  // of the 32 lines of a chunk, those that this group of rows prefetches
  int64_t last_line;
  bool first;  // sums are +0 so far
};

STRATA_KERNEL_INLINE void prefetch_chunk(const Stretch& s, int64_t chunk) {
  const std::byte* w = s.w + chunk * 2 * kTileBytes + s.ahead;
  for (int64_t line = s.first_line; line < s.last_line; line++) __builtin_prefetch(w + line * 64);
}

template <class Tiles>
STRATA_KERNEL_INLINE void low_rows(Tiles& tiles, const Stretch& s) {
  constexpr int64_t kSumBytes = 2 * kWide * sizeof(float);
  if (s.first) {
    tiles.template zero<0>();
    tiles.template zero<1>();
  } else {
    tiles.template load<0>(s.sums, kSumBytes);
    tiles.template load<1>(s.sums + kWide, kSumBytes);
  }
  for (int64_t chunk = 0; chunk < s.chunks; chunk++) {
    const std::byte* w = s.w + chunk * 2 * kTileBytes;
    prefetch_chunk(s, chunk);
    tiles.template load<4>(s.x + chunk * s.rows * 64, 64);
    tiles.template load<6>(w, 64);
    tiles.template product<0, 4, 6>();
    tiles.template load<7>(w + kTileBytes, 64);
    tiles.template product<1, 4, 7>();
  }
  tiles.template store<0>(s.sums, kSumBytes);
  tiles.template store<1>(s.sums + kWide, kSumBytes);
}

template <class Tiles>
STRATA_KERNEL_INLINE void both_rows(Tiles& tiles, const Stretch& s) {
  constexpr int64_t kSumBytes = 2 * kWide * sizeof(float);
  float* high = s.sums + kWide * 2 * kWide;
  if (s.first) {
    tiles.template zero<0>();
    tiles.template zero<1>();
    tiles.template zero<2>();
    tiles.template zero<3>();
  } else {
    tiles.template load<0>(s.sums, kSumBytes);
    tiles.template load<1>(s.sums + kWide, kSumBytes);
    tiles.template load<2>(high, kSumBytes);
    tiles.template load<3>(high + kWide, kSumBytes);
  }
  for (int64_t chunk = 0; chunk < s.chunks; chunk++) {
    const std::byte* w = s.w + chunk * 2 * kTileBytes;
    const std::byte* x = s.x + chunk * s.rows * 64;
    prefetch_chunk(s, chunk);
    tiles.template load<4>(x, 64);
    tiles.template load<6>(w, 64);
    tiles.template product<0, 4, 6>();
    tiles.template load<7>(w + kTileBytes, 64);
    tiles.template product<1, 4, 7>();
    tiles.template load<5>(x + kTileBytes, 64);
    tiles.template product<2, 5, 6>();
    tiles.template product<3, 5, 7>();
  }
  tiles.template store<0>(s.sums, kSumBytes);
  tiles.template store<1>(s.sums + kWide, kSumBytes);
  tiles.template store<2>(high, kSumBytes);
  tiles.template store<3>(high + kWide, kSumBytes);
}

/// Rows of a group fill the low tiles first. Reconfiguring costs about 100 cycles, so it happens
/// only where heights change.
template <class Tiles>
STRATA_KERNEL_INLINE void run_stretch(Tiles& tiles, const Stretch& s, int64_t& configured) {
  if (configured != s.rows) {
    const int64_t low = s.rows < kWide ? s.rows : kWide;
    tiles.configure(static_cast<int>(low), static_cast<int>(s.rows > kWide ? s.rows - kWide : low));
    configured = s.rows;
  }
  if (s.rows <= kWide) return low_rows(tiles, s);
  both_rows(tiles, s);
}

template <class Tiles, class V>
void run_amx_item(const LinearItem& item) {
  alignas(64) float sums[kAmxBlockRows * 2 * kWide];
  alignas(64) std::byte expanded[kStretchChunks * 2 * kTileBytes];
  Tiles tiles;
  int64_t configured = 0;
  const RowGroups groups = {item.rows, (item.rows + kPairRows - 1) / kPairRows};
  const std::byte* x = static_cast<const std::byte*>(item.x);
  const bool coded = item.expand != nullptr;
  const bool whole_depth = item.rows <= kWholeDepthRows && !coded;
  const int64_t stretch = whole_depth ? item.chunks : kStretchChunks;
  for (int64_t panel = 0; panel < item.panels; panel++) {
    const std::byte* w = item.w + panel * item.panel_bytes;
    for (int64_t chunk = 0; chunk < item.chunks; chunk += stretch) {
      const int64_t chunks = item.chunks - chunk < stretch ? item.chunks - chunk : stretch;
      if (coded) item.expand({w, item.panel_bytes, item.chunks, chunk, chunks, expanded});
      for (int64_t g = 0; g < groups.groups; g++) {
        const int64_t row = groups.begin(g), rows = groups.count(g);
        run_stretch(tiles,
                    {.w = coded ? expanded : w + chunk * 2 * kTileBytes,
                     .x = x + (row * item.chunks + chunk * rows) * 64,
                     .sums = sums + row * 2 * kWide,
                     .chunks = chunks,
                     .rows = rows,
                     .ahead = ahead_bytes(item.rows),
                     .first_line = coded ? 0 : 32 * g / groups.groups,
                     .last_line = coded ? 0 : 32 * (g + 1) / groups.groups,
                     .first = chunk == 0},
                    configured);
      }
    }
    const int64_t left = item.cols - panel * 2 * kWide;
    finish_panel<V>(sums, item, panel * 2 * kWide, left < 2 * kWide ? left : 2 * kWide);
  }
  tiles.release();
}

STRATA_KERNEL_INLINE void copy_line(std::byte* to, const std::byte* from) {
  // As integers: operand bits pass through unchanged.
  __builtin_memcpy(to, from, 64);
}

inline void pack_amx_rows(const PackRowsArgs& args) {
  auto* out = static_cast<std::byte*>(args.out);
  for (int64_t row = 0; row < args.rows; row++) {
    const std::byte* x = static_cast<const std::byte*>(args.x) + row * args.row_bytes;
    for (int64_t chunk = 0; chunk < args.chunks; chunk++)
      copy_line(out + (chunk * args.rows + row) * 64, x + chunk * 64);
  }
}

template <class Tiles, class V>
constexpr LinearKernels amx_kernels() {
  return {kPairRows, kAmxBlockRows, 2, pack_amx_rows, run_amx_item<Tiles, V>};
}

}  // namespace
}  // namespace strata::kernels
