// Rows of a packed tile (tensor/packed.h) as vectors of 16 outputs, by element type: pair i holds
// depth 2 i (even) and 2 i + 1 (odd), widened to f32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/vec16.h"

namespace strata::kernels {
namespace {

template <class V>
struct Bf16Tile {
  static constexpr int64_t kTileBytes = 1024;
  static constexpr bool kPairs = false;
  STRATA_KERNEL_INLINE static typename V::F even(const std::byte* tile, int64_t i) {
    return V::pair_even(tile + i * 64);
  }
  STRATA_KERNEL_INLINE static typename V::F odd(const std::byte* tile, int64_t i) {
    return V::pair_odd(tile + i * 64);
  }
};

template <class V>
struct F16Tile {
  static constexpr int64_t kTileBytes = 1024;
  static constexpr bool kPairs = false;
  STRATA_KERNEL_INLINE static typename V::F even(const std::byte* tile, int64_t i) {
    return V::load_f16(reinterpret_cast<const uint16_t*>(tile) + 32 * i);
  }
  STRATA_KERNEL_INLINE static typename V::F odd(const std::byte* tile, int64_t i) {
    return V::load_f16(reinterpret_cast<const uint16_t*>(tile) + 32 * i + 16);
  }
};

template <class V>
struct F32Tile {
  static constexpr int64_t kTileBytes = 2048;
  static constexpr bool kPairs = false;
  STRATA_KERNEL_INLINE static typename V::F even(const std::byte* tile, int64_t i) {
    return V::load(reinterpret_cast<const float*>(tile) + 32 * i);
  }
  STRATA_KERNEL_INLINE static typename V::F odd(const std::byte* tile, int64_t i) {
    return V::load(reinterpret_cast<const float*>(tile) + 32 * i + 16);
  }
};

}  // namespace
}  // namespace strata::kernels
