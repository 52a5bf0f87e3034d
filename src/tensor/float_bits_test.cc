// The 16-bit conversions, exhaustively against definitions that use wider arithmetic.
#include "tensor/float_bits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/kv_format.h"
#include "tensor/packed.h"

namespace strata::tensor {
namespace {

TEST(FloatBits, EveryBf16SurvivesTheRoundTripUnlessDenormalOrNan) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    const Bf16 value{static_cast<uint16_t>(bits)};
    const uint32_t magnitude = bits & 0x7fff;
    const uint16_t back = to_bf16(to_float(value)).bits;
    if (magnitude > 0x7f80) {
      EXPECT_EQ(back, 0x7fc0);
    } else if (magnitude < 0x0080) {
      EXPECT_EQ(back, bits & 0x8000);
    } else {
      EXPECT_EQ(back, bits);
    }
  }
}

TEST(FloatBits, Bf16RoundsToNearestEven) {
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3f808000u)).bits,
            0x3f80);  // a tie goes to the even side
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3f818000u)).bits, 0x3f82);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3f808001u)).bits, 0x3f81);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x7f7fffffu)).bits, 0x7f80);  // overflow to infinity
}

float f16_by_definition(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 0x3ff;
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa ? std::numeric_limits<float>::quiet_NaN() : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

TEST(FloatBits, EveryF16WidensExactlyAndComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    const F16 value{static_cast<uint16_t>(bits)};
    const float expected = f16_by_definition(value.bits);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(to_float(value)));
      EXPECT_EQ(to_f16(to_float(value)).bits, 0x7e00);
    } else {
      EXPECT_EQ(std::bit_cast<uint32_t>(to_float(value)), std::bit_cast<uint32_t>(expected))
          << bits;
      EXPECT_EQ(to_f16(expected).bits, bits);
    }
  }
}

// Between two neighbours the midpoint goes to the even one, and the floats beside the midpoint to
// their own side.
TEST(FloatBits, F16RoundsToNearestEvenEverywhere) {
  for (uint16_t bits = 0; bits < 0x7bff; bits++) {
    const float low = to_float(F16{bits});
    const float high = to_float(F16{static_cast<uint16_t>(bits + 1)});
    const float middle = (low + high) / 2;
    EXPECT_EQ(to_f16(middle).bits, bits + (bits & 1)) << bits;
    EXPECT_EQ(to_f16(std::nextafter(middle, high)).bits, bits + 1) << bits;
    EXPECT_EQ(to_f16(std::nextafter(middle, low)).bits, bits) << bits;
  }
  EXPECT_EQ(to_f16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(to_f16(65519.0f).bits, 0x7bff);
}

TEST(Packed, IndexIsABijectionOntoThePaddedMatrix) {
  for (const ProductKind kind : {ProductKind::kBf16, ProductKind::kF16, ProductKind::kF32}) {
    const int64_t n = 40, k = 70;
    std::vector<int> seen(static_cast<size_t>(packed_elements(n, k)));
    for (int64_t row = 0; row < round_up(n, kPanel); row++) {
      for (int64_t col = 0; col < round_up(k, kChunk); col++) {
        const int64_t index = packed_index(kind, row, col, k);
        ASSERT_GE(index, 0);
        ASSERT_LT(index, packed_elements(n, k));
        seen[static_cast<size_t>(index)]++;
      }
    }
    for (const int count : seen) ASSERT_EQ(count, 1);
  }
}

TEST(KvShape, HeadsAndTilesDoNotOverlap) {
  const KvShape shape{ProductKind::kBf16, 3, 40, 64};
  EXPECT_EQ(shape.padded_dim(), 64);
  EXPECT_EQ(shape.head_tile_bytes(), 32 * 64 * 2);
  EXPECT_EQ(shape.layer_bytes(), 2 * 2 * 3 * 32 * 64 * 2);
  EXPECT_EQ(shape.v_offset(1, 2) + shape.head_tile_bytes(), shape.layer_bytes());
}

}  // namespace
}  // namespace strata::tensor
