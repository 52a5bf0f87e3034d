// The portable packing loop: one element after the other, in the order of the destination.
#include "tensor/pack.h"

#include <cstring>

#include "base/check.h"
#include "tensor/float_bits.h"

namespace strata::tensor {
namespace {

template <class T>
T read(const std::byte* src, int64_t index) {
  T value;
  std::memcpy(&value, src + index * static_cast<int64_t>(sizeof value), sizeof value);
  return value;
}

float read_float(const std::byte* src, DType dtype, int64_t index) {
  if (dtype == DType::kF32) return read<float>(src, index);
  const auto bits = read<uint16_t>(src, index);
  return dtype == DType::kF16 ? to_float(F16{bits}) : to_float(Bf16{bits});
}

bool same_type(ProductKind kind, DType dtype) {
  switch (kind) {
    case ProductKind::kBf16:
      return dtype == DType::kBF16;
    case ProductKind::kF16:
      return dtype == DType::kF16;
    case ProductKind::kF32:
      return dtype == DType::kF32;
  }
  return false;
}

// The stored bits of source element `index` (low half for the 16-bit kinds).
uint32_t stored_bits(const PackArgs& args, int64_t index) {
  const auto* src = static_cast<const std::byte*>(args.src);
  if (same_type(args.kind, args.src_dtype)) {
    return args.kind == ProductKind::kF32 ? read<uint32_t>(src, index) : read<uint16_t>(src, index);
  }
  const float value = read_float(src, args.src_dtype, index);
  if (args.kind == ProductKind::kF32) return std::bit_cast<uint32_t>(value);
  return args.kind == ProductKind::kF16 ? to_f16(value).bits : to_bf16(value).bits;
}

}  // namespace

void pack_rows(const PackArgs& args) {
  CHECK(packable(args.src_dtype) && args.first_row % kPanel == 0,
        "pack_rows: element type or first row");
  const int64_t depth = round_up(args.k, kChunk);
  for (int64_t row = 0; row < round_up(args.rows, kPanel); row++) {
    for (int64_t k = 0; k < depth; k++) {
      const uint32_t bits = row < args.rows && k < args.k ? stored_bits(args, row * args.k + k) : 0;
      const int64_t to = packed_index(args.kind, args.first_row + row, k, args.k);
      if (args.kind == ProductKind::kF32) {
        reinterpret_cast<uint32_t*>(args.dst)[to] = bits;
      } else {
        reinterpret_cast<uint16_t*>(args.dst)[to] = static_cast<uint16_t>(bits);
      }
    }
  }
}

}  // namespace strata::tensor
