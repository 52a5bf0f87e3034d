// The counter-based weights of the golden cases; tools/golden/weights.py computes the same bits in
// numpy. docs/design/goldens.md defines them. A case commits only names, shapes, means and scales:
// the weights themselves are made here, at test time, from integer arithmetic and single IEEE
// float32 operations.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::golden {

enum class WeightDtype { kF32, kF16, kBf16 };

/// 64-bit FNV-1a of bytes.
uint64_t fnv1a(std::string_view bytes);

/// The first out.size() values of the tensor `name`: mean `mean`, standard deviation `scale`.
void fill_values(std::string_view name, uint64_t seed, double mean, double scale,
                 std::span<float> out);

/// Nearest bfloat16 and float16 of a finite value, ties to even; float16 keeps its denormals.
uint16_t to_bf16(float value);
uint16_t to_f16(float value);

/// Little-endian bytes of the values in the checkpoint's dtype.
std::string encode(std::span<const float> values, WeightDtype dtype);

}  // namespace strata::golden
