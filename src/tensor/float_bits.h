// The 16-bit float types as bit patterns, and the exact conversions that the numerics
// (docs/design/numerics.md) allow. Plain integer code: the same bits on every machine, usable from
// kernel units of any instruction set.
#pragma once

#include <bit>
#include <cstdint>

namespace strata::tensor {

/// A bfloat16 value as its bits: the upper half of a float32.
struct Bf16 {
  uint16_t bits;
};

/// An IEEE binary16 value as its bits.
struct F16 {
  uint16_t bits;
};

inline float to_float(Bf16 value) { return std::bit_cast<float>(uint32_t{value.bits} << 16); }

/// Nearest even; denormals become zero of their sign (a bf16 product would flush them anyway), NaN
/// becomes one quiet NaN.
inline Bf16 to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {0x7fc0};
  if (magnitude < 0x00800000u) return {static_cast<uint16_t>((bits >> 16) & 0x8000u)};
  return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

/// Exact: every binary16 value, denormals included, is a normal float32 (or zero, infinity, NaN).
inline float to_float(F16 value) {
  const uint32_t sign = uint32_t{value.bits & 0x8000u} << 16;
  const uint32_t exponent = (value.bits >> 10) & 31u;
  const uint32_t mantissa = value.bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  if (mantissa == 0) return std::bit_cast<float>(sign);
  const int shift = std::countl_zero(mantissa) - 21;  // brings the leading one to bit 10
  const uint32_t normal = (mantissa << shift) & 0x3ffu;
  return std::bit_cast<float>(sign | (static_cast<uint32_t>(113 - shift) << 23) | (normal << 13));
}

/// Nearest even, overflow to infinity, denormals kept, NaN to one quiet NaN: what vcvtps2ph does.
inline F16 to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {0x7e00};
  if (magnitude >= 0x477ff000u)
    return {static_cast<uint16_t>(sign | 0x7c00u)};  // rounds to 2^16 or more
  if (magnitude < 0x33000001u)
    return {static_cast<uint16_t>(sign)};  // at most half the least denormal
  uint32_t mantissa = magnitude & 0x7fffffu;
  int exponent = static_cast<int>(magnitude >> 23) - 112;
  uint32_t shift = 13;
  if (exponent <= 0) {
    mantissa |= 0x800000u;
    shift += static_cast<uint32_t>(1 - exponent);
    exponent = 0;
  }
  const uint32_t rest = mantissa & ((1u << shift) - 1);
  uint32_t result = (static_cast<uint32_t>(exponent) << 10) + (mantissa >> shift);
  const uint32_t half = 1u << (shift - 1);
  if (rest > half || (rest == half && (result & 1u))) result++;
  return {static_cast<uint16_t>(sign | result)};
}

}  // namespace strata::tensor
