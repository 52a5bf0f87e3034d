// Blockings of linear_fma_inl.h, one per class of register file, with the arithmetic behind each
// number.
#pragma once

#include <cstdint>

namespace strata::kernels {
namespace {

/// 32 registers of 16 lanes: 6 rows x 2 tiles x {even, odd} = 24 chains, 4 weight vectors, 1 or 2
/// broadcasts.
struct WideBlocking {
  static constexpr int kGroupRows = 6;
  static constexpr int64_t kBlockRows = 128;    // operands: 1 MiB at K = 2048, 4 MiB at 8192
  static constexpr int64_t kStretchChunks = 8;  // 16 KiB of 16-bit weights: half of a small L1
  static constexpr int kOneTileRows = 1;        // up to here strictly in address order
  static constexpr int kBothTilesRows = 6;
  static constexpr int kBothChainsRows = 6;
  static constexpr int64_t kAheadBytes = 8192;  // half or twice as much lose 5-20 % at 2 to 4 rows
};

/// 16 registers of 8 lanes: 6 rows x one tile of one chain = 12 registers, 2 of weights, 1 or 2
/// broadcasts.
struct NarrowBlocking {
  static constexpr int kGroupRows = 6;
  static constexpr int64_t kBlockRows = 128;
  static constexpr int64_t kStretchChunks = 8;
  static constexpr int kOneTileRows = 6;  // always a tile at a time
  static constexpr int kBothTilesRows = 0;
  static constexpr int kBothChainsRows = 3;  // 3 rows x {even, odd} x 2 halves = 12 registers
  static constexpr int64_t kAheadBytes = 8192;
};

}  // namespace
}  // namespace strata::kernels
