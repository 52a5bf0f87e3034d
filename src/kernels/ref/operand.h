// Storing and loading one element by product kind: operands (activations) and elements of the
// cache.
#pragma once

#include <cstdint>

#include "tensor/float_bits.h"
#include "tensor/packed.h"

namespace strata::kernels {

/// The element types of a kind as they lie in memory.
template <tensor::ProductKind kKind>
struct Elements {
  using Operand = float;
  using Cache = float;
};
template <>
struct Elements<tensor::ProductKind::kBf16> {
  using Operand = tensor::Bf16;
  using Cache = tensor::Bf16;
};
template <>
struct Elements<tensor::ProductKind::kF16> {
  using Operand = float;
  using Cache = tensor::F16;
};

inline void put(tensor::Bf16* to, float value) { *to = tensor::to_bf16(value); }
inline void put(tensor::F16* to, float value) { *to = tensor::to_f16(value); }
inline void put(float* to, float value) { *to = value; }
inline float get(tensor::Bf16 value) { return tensor::to_float(value); }
inline float get(tensor::F16 value) { return tensor::to_float(value); }
inline float get(float value) { return value; }

/// The value that an f32 has once it is an operand of the kind.
template <tensor::ProductKind kKind>
inline float as_operand(float value) {
  typename Elements<kKind>::Operand stored;
  put(&stored, value);
  return get(stored);
}

}  // namespace strata::kernels
