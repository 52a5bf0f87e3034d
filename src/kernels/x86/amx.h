// AMX tiles as a small class in two implementations with the same bits: AmxTiles issues the
// instructions, EmulatedTiles is plain C++, so that AMX kernels are tested on CPUs without AMX.
// Kernels are templates over it.
//
// GCC 12's own tile intrinsics lack memory clobbers and drop the stores that fill a configuration
// or a source buffer; the assembly here states them. Tile numbers are template parameters because
// they are part of the instruction. Configuration: eight tiles, all of 64-byte rows; tiles 0-3
// accumulate (f32 [rows][16]), 4-5 hold A (bf16 [rows][32]), 6-7 hold B (bf16 pairs [16][16][2]).
// `rows_low` is the height of tiles 0, 1, 4 and `rows_high` that of tiles 2, 3, 5.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/inline.h"

namespace strata::kernels {

/// The 64-byte operand of ldtilecfg.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_per_row[16] = {};
  uint8_t rows[16] = {};
};

STRATA_KERNEL_INLINE TileConfig tile_config(int rows_low, int rows_high) {
  TileConfig config;
  const int rows[8] = {rows_low, rows_low, rows_high, rows_high, rows_low, rows_high, 16, 16};
  for (int tile = 0; tile < 8; tile++) {
    config.bytes_per_row[tile] = 64;
    config.rows[tile] = static_cast<uint8_t>(rows[tile]);
  }
  return config;
}

#if defined(__x86_64__)
/// The hardware's tiles. Needs the process permission (kernel_table.cc asks for it); release()
/// before leaving a work item.
struct AmxTiles {
  STRATA_KERNEL_INLINE void configure(int rows_low, int rows_high) {
    const TileConfig config = tile_config(rows_low, rows_high);
    asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
  }
  STRATA_KERNEL_INLINE void release() { asm volatile("tilerelease" ::: "memory"); }
  template <int kTile>
  STRATA_KERNEL_INLINE void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
  }
  template <int kTile>
  STRATA_KERNEL_INLINE void load(const void* from, int64_t stride_bytes) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kTile), "r"(from), "r"(stride_bytes)
                 : "memory");
  }
  template <int kTile>
  STRATA_KERNEL_INLINE void store(void* to, int64_t stride_bytes) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kTile), "r"(to), "r"(stride_bytes)
                 : "memory");
  }
  /// acc[m][n] += sum over even k, then plus sum over odd k: the chunk of docs/design/numerics.md.
  template <int kAcc, int kA, int kB>
  STRATA_KERNEL_INLINE void product() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kAcc), "i"(kA), "i"(kB));
  }
};
#endif

// Internal to each unit: its functions may be compiled with different flags in different units.
namespace {

/// Tiles in memory. Like the hardware it flushes denormals only through the mode of fp_mode.h,
/// which its caller has set.
struct EmulatedTiles {
  alignas(64) unsigned char data[8][16][64];
  int rows[8];

  void configure(int rows_low, int rows_high) {
    const TileConfig config = tile_config(rows_low, rows_high);
    for (int tile = 0; tile < 8; tile++) rows[tile] = config.rows[tile];
    __builtin_memset(data, 0, sizeof data);
  }
  void release() { __builtin_memset(rows, 0, sizeof rows); }
  template <int kTile>
  void zero() {
    __builtin_memset(data[kTile], 0, sizeof data[kTile]);
  }
  template <int kTile>
  void load(const void* from, int64_t stride_bytes) {
    __builtin_memset(data[kTile], 0, sizeof data[kTile]);
    for (int row = 0; row < rows[kTile]; row++) {
      __builtin_memcpy(data[kTile][row], static_cast<const char*>(from) + row * stride_bytes, 64);
    }
  }
  template <int kTile>
  void store(void* to, int64_t stride_bytes) {
    for (int row = 0; row < rows[kTile]; row++) {
      __builtin_memcpy(static_cast<char*>(to) + row * stride_bytes, data[kTile][row], 64);
    }
  }
  template <int kAcc, int kA, int kB>
  void product() {
    for (int m = 0; m < rows[kAcc]; m++) {
      for (int n = 0; n < 16; n++) {
        float even = 0, odd = 0, acc;
        for (int pair = 0; pair < 16; pair++) {
          even = __builtin_fmaf(element(kA, m, 2 * pair), element(kB, pair, 2 * n), even);
          odd = __builtin_fmaf(element(kA, m, 2 * pair + 1), element(kB, pair, 2 * n + 1), odd);
        }
        __builtin_memcpy(&acc, &data[kAcc][m][4 * n], 4);
        acc = acc + (even + odd);
        __builtin_memcpy(&data[kAcc][m][4 * n], &acc, 4);
      }
    }
  }

 private:
  float element(int tile, int row, int index) const {
    uint16_t half;
    __builtin_memcpy(&half, &data[tile][row][2 * index], 2);
    const uint32_t word = static_cast<uint32_t>(half) << 16;
    float value;
    __builtin_memcpy(&value, &word, 4);
    return value;
  }
};

}  // namespace
}  // namespace strata::kernels
