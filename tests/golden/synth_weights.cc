// Implements the generator of docs/design/goldens.md. Does no I/O; the folder around the weights is
// synth_folder.cc.
#include "synth_weights.h"

#include <bit>
#include <cstring>

namespace strata::golden {
namespace {

constexpr uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;
constexpr int32_t kLanesMean = 131070;  // of the sum of four uniform 16-bit lanes: 4 * 65535 / 2
constexpr double kDeviation = 37837.2;  // of the same sum: 65536 / sqrt(3)

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

int32_t sum_of_lanes(uint64_t bits) {
  return static_cast<int32_t>((bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) +
                              (bits >> 48));
}

template <class T>
void append(std::string& out, T value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof value);
}

/// value / 2^shift to the nearest integer, ties to even.
uint32_t shift_to_even(uint32_t value, int shift) {
  const uint32_t half = uint32_t{1} << (shift - 1);
  const uint32_t odd = value >> shift & 1;
  return (value + half - 1 + odd) >> shift;
}

}  // namespace

uint64_t fnv1a(std::string_view bytes) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
  }
  return hash;
}

void fill_values(std::string_view name, uint64_t seed, double mean, double scale,
                 std::span<float> out) {
  const uint64_t key = mix(fnv1a(name) + seed * kGoldenRatio);
  const auto factor = static_cast<float>(scale / kDeviation);
  const auto offset = static_cast<float>(mean);
  uint64_t counter = key;
  for (float& value : out) {
    counter += kGoldenRatio;
    const auto centred = static_cast<float>(sum_of_lanes(mix(counter)) - kLanesMean);
    const float scaled = centred * factor;  // two statements and -ffp-contract=off: never fused
    value = scaled + offset;
  }
}

uint16_t to_bf16(float value) {
  return static_cast<uint16_t>(shift_to_even(std::bit_cast<uint32_t>(value), 16));
}

uint16_t to_f16(float value) {
  const auto raw = std::bit_cast<uint32_t>(value);
  const uint32_t sign = raw >> 16 & 0x8000;
  const auto exponent = static_cast<int>(raw >> 23 & 0xFF) - 127;
  const uint32_t mantissa = raw & 0x7FFFFF;
  if (exponent >= -14) {
    // A carry out of the mantissa raises the exponent, which is what rounding up must do.
    const uint32_t biased = static_cast<uint32_t>(exponent + 15) << 23;
    return static_cast<uint16_t>(sign | shift_to_even(biased | mantissa, 13));
  }
  if (exponent < -25) {
    return static_cast<uint16_t>(sign);
  }
  return static_cast<uint16_t>(sign | shift_to_even(mantissa | 0x800000, -1 - exponent));
}

std::string encode(std::span<const float> values, WeightDtype dtype) {
  std::string out;
  out.reserve(values.size() * 4);
  for (const float value : values) {
    switch (dtype) {
      case WeightDtype::kF32:
        append(out, value);
        break;
      case WeightDtype::kF16:
        append(out, to_f16(value));
        break;
      case WeightDtype::kBf16:
        append(out, to_bf16(value));
        break;
    }
  }
  return out;
}

}  // namespace strata::golden
