// The synthetic weights have the same bits here as in tools/golden/weights.py: the committed hashes
// were computed there.
#include "synth_weights.h"

#include <gtest/gtest.h>

#include <cmath>

namespace strata::golden {
namespace {

struct Pinned {
  const char* name;
  int count;
  uint64_t seed;
  double mean;
  double scale;
  uint64_t f32, f16, bf16;  // 64-bit FNV-1a of the encoded values
};

// The last one is small enough for float16 denormals.
constexpr Pinned kPinned[] = {
    {"model.embed_tokens.weight", 1000, 1, 0.0, 1.0, 0x1aa1c312daf30fa5, 0xe72a5fd970f7729f,
     0xb8319bca712c5080},
    {"model.layers.3.self_attn.q_norm.weight", 77, 123456789, 1.2, 0.4, 0x279c5c14ff4e2c44,
     0x6c9d99ff1a198fdc, 0xda8ac9c4f8d82e8d},
    {"tiny", 500, 7, 0.0, 1e-5, 0xe2a29354ca25431a, 0x8d589026158cdad1, 0xe7176f9083a9cda2},
};

std::vector<float> values_of(const Pinned& row) {
  std::vector<float> values(row.count);
  fill_values(row.name, row.seed, row.mean, row.scale, values);
  return values;
}

TEST(SynthWeights, SameBitsAsNumpy) {
  for (const auto& row : kPinned) {
    const auto values = values_of(row);
    EXPECT_EQ(fnv1a(encode(values, WeightDtype::kF32)), row.f32) << row.name;
    EXPECT_EQ(fnv1a(encode(values, WeightDtype::kF16)), row.f16) << row.name;
    EXPECT_EQ(fnv1a(encode(values, WeightDtype::kBf16)), row.bf16) << row.name;
  }
}

TEST(SynthWeights, MeanAndDeviationAreTheStatedOnes) {
  std::vector<float> values(100000);
  fill_values("moments", 3, 1.0, 0.25, values);
  double sum = 0;
  double squares = 0;
  for (const float value : values) {
    sum += value - 1.0;
    squares += (value - 1.0) * (value - 1.0);
  }
  EXPECT_NEAR(sum / 1e5, 0.0, 0.004);
  EXPECT_NEAR(std::sqrt(squares / 1e5), 0.25, 0.002);
}

TEST(SynthWeights, RoundsHalfToEven) {
  EXPECT_EQ(to_bf16(1.0F + 0x1p-8F), 0x3F80);  // halfway: stays even
  EXPECT_EQ(to_bf16(1.0F + 0x3p-8F), 0x3F82);  // halfway: goes up to even
  EXPECT_EQ(to_bf16(-1.0F - 0x1.1p-8F), 0xBF81);
  EXPECT_EQ(to_f16(1.0F + 0x1p-11F), 0x3C00);
  EXPECT_EQ(to_f16(1.0F + 0x3p-11F), 0x3C02);
  EXPECT_EQ(to_f16(0x1.ffep-15F), 0x0400);  // the largest denormal and a half: the smallest normal
  EXPECT_EQ(to_f16(-0x1.8p-24F), 0x8002);   // one and a half: two
  EXPECT_EQ(to_f16(0x1p-25F), 0x0000);      // one half: zero
  EXPECT_EQ(to_f16(0x1.1p-25F), 0x0001);
}

TEST(SynthWeights, NameAndSeedBothCount) {
  std::vector<float> a(4);
  std::vector<float> b(4);
  fill_values("x", 1, 0, 1, a);
  fill_values("y", 1, 0, 1, b);
  EXPECT_NE(a, b);
  fill_values("x", 2, 0, 1, b);
  EXPECT_NE(a, b);
  fill_values("x", 1, 0, 1, b);
  EXPECT_EQ(a, b);
}

}  // namespace
}  // namespace strata::golden
