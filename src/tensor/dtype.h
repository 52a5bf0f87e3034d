// The element types that checkpoints and activations hold, as plain numbers. Quantised weights are
// formats, not dtypes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace strata::tensor {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kF64,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  kF8E4M3,
  kF8E5M2
};

/// Bytes of one element.
size_t dtype_bytes(DType dtype);
/// Short lower-case name, as flags and messages write it: "bf16", "f8_e4m3".
std::string_view dtype_name(DType dtype);

}  // namespace strata::tensor
