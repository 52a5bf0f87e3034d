// Storing sixteen f32 lanes, or the first of them, as operands: bf16 (uint16_t) or f32.
#pragma once

#include <cstdint>

#include "kernels/simd/vec16.h"

namespace strata::kernels {
namespace {

template <class V>
STRATA_KERNEL_INLINE void store_operand(uint16_t* to, typename V::F value, int64_t count) {
  if (count >= 16) return V::store_bf16(to, value);
  alignas(64) uint16_t whole[16];
  V::store_bf16(whole, value);
  for (int64_t i = 0; i < count; i++) to[i] = whole[i];
}

template <class V>
STRATA_KERNEL_INLINE void store_operand(float* to, typename V::F value, int64_t count) {
  if (count >= 16) return V::store(to, value);
  V::store_partial(to, value, count);
}

/// The first `count` of 16 floats, others +0.
template <class V>
STRATA_KERNEL_INLINE typename V::F load_first(const float* from, int64_t count) {
  return count >= 16 ? V::load(from) : V::load_partial(from, count);
}

}  // namespace
}  // namespace strata::kernels
