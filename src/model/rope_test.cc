// Frequencies of every RoPE regime against values that Transformers 5 computes (its
// ROPE_INIT_FUNCTIONS, printed once), and the tables against the C library's cosine and sine.
#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "device/cpu_device.h"

namespace strata::model {
namespace {

struct Regime {
  std::string name;
  RopeSpec spec;
  int64_t max_model_len;
  float attention_factor;
  std::vector<float> inv_freq;
};

const Regime kRegimes[] = {
    {"linear",
     {.kind = RopeKind::kLinear, .theta = 10000, .rotary_dim = 16, .factor = 3},
     3000,
     1.0f,
     {0.333333343267f, 0.105409257113f, 0.033333335071f, 0.010540925897f, 0.003333333181f,
      0.001054092659f, 0.000333333358f, 0.000105409264f}},
    {"llama3",
     {.kind = RopeKind::kLlama3,
      .theta = 500000,
      .rotary_dim = 32,
      .factor = 8,
      .original_max_position = 256,
      .low_freq_factor = 1,
      .high_freq_factor = 4},
     3000,
     1.0f,
     {1.0f, 0.440366625785f, 0.193922758102f, 0.072430036962f, 0.010538230650f, 0.002070055110f,
      0.000911583134f, 0.000401430763f, 0.000176776680f, 7.784655463183e-05f, 3.428102354519e-05f,
      1.509621779405e-05f, 6.647869668086e-06f, 2.927499735960e-06f, 1.289173155782e-06f,
      5.677088097399e-07f}},
    {"yarn",
     {.kind = RopeKind::kYarn,
      .theta = 1e6,
      .rotary_dim = 32,
      .factor = 4,
      .original_max_position = 1024},
     3000,
     1.138629436111989f,
     {1.0f, 0.421696513891f, 0.151153743267f, 0.052492592483f, 0.017392527312f, 0.005334085784f,
      0.001405853312f, 0.000592843454f, 0.000250000011f, 0.000105424122f, 4.445698505151e-05f,
      1.874735607998e-05f, 7.905693564680e-06f, 3.333803533678e-06f, 1.405853367941e-06f,
      5.928434347879e-07f}},
    {"yarn_all_keys",
     {.kind = RopeKind::kYarn,
      .theta = 10000,
      .rotary_dim = 32,
      .factor = 16,
      .original_max_position = 256,
      .beta_fast = 24,
      .beta_slow = 2,
      .truncate = false,
      .mscale = 0.9,
      .mscale_all_dim = 0.4},
     3000,
     1.1247898039848345f,
     {1.0f, 0.552497208118f, 0.242014124989f, 0.097474128007f, 0.033095877617f, 0.006398334167f,
      0.001976423664f, 0.001111424644f, 0.000624999986f, 0.000351463328f, 0.000197642366f,
      0.000111142464f, 6.250000296859e-05f, 3.514633135637e-05f, 1.976423664018e-05f,
      1.111424626287e-05f}},
    {"yarn_attention_factor",
     {.kind = RopeKind::kYarn,
      .theta = 10000,
      .rotary_dim = 16,
      .factor = 2,
      .original_max_position = 256,
      .attention_factor = 1.25},
     3000,
     1.25f,
     {1.0f, 0.276699274778f, 0.075000002980f, 0.019764237105f, 0.004999999888f, 0.001581138931f,
      0.000500000023f, 0.000158113893f}},
    {"dynamic",
     {.kind = RopeKind::kDynamic,
      .theta = 10000,
      .rotary_dim = 16,
      .factor = 2,
      .original_max_position = 512},
     3000,
     1.0f,
     {1.0f, 0.225339114665f, 0.050777710974f, 0.011442204006f, 0.002578375861f, 0.000581008906f,
      0.000130924017f, 2.950229827547e-05f}},
};

class Regimes : public testing::TestWithParam<Regime> {};

// Transformers' own powers are off by an ulp or two.
TEST_P(Regimes, EqualTransformers) {
  const Regime& regime = GetParam();
  const RopeFrequencies got = rope_frequencies(regime.spec, regime.max_model_len);
  ASSERT_EQ(got.inv_freq.size(), regime.inv_freq.size());
  EXPECT_NEAR(got.attention_factor, regime.attention_factor, 1e-7f);
  for (size_t i = 0; i < got.inv_freq.size(); i++) {
    EXPECT_NEAR(got.inv_freq[i] / regime.inv_freq[i], 1.0f, 3e-7f) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Rope, Regimes, testing::ValuesIn(kRegimes),
                         [](const auto& tested) { return tested.param.name; });

TEST(Rope, DynamicIsTheDefaultUpToTheOriginalLength) {
  const RopeSpec dynamic{.kind = RopeKind::kDynamic,
                         .theta = 10000,
                         .rotary_dim = 16,
                         .factor = 2,
                         .original_max_position = 512};
  const RopeSpec plain{.theta = 10000, .rotary_dim = 16};
  EXPECT_EQ(rope_frequencies(dynamic, 100).inv_freq, rope_frequencies(plain, 100).inv_freq);
  EXPECT_EQ(rope_frequencies(dynamic, 512).inv_freq, rope_frequencies(plain, 512).inv_freq);
  EXPECT_NE(rope_frequencies(dynamic, 513).inv_freq, rope_frequencies(plain, 513).inv_freq);
}

TEST(Rope, TablesHoldTheRotationOfEveryPosition) {
  const RopeSpec spec{.kind = RopeKind::kYarn,
                      .theta = 10000,
                      .rotary_dim = 16,
                      .factor = 2,
                      .original_max_position = 256};
  const RopeFrequencies frequencies = rope_frequencies(spec, 300);
  const auto one = *ComputePool::create(1), two = *ComputePool::create(2);
  device::CpuDevice device;
  const auto tables = build_rope_tables(device, spec, 300, *two);
  const auto same = build_rope_tables(device, spec, 300, *one);
  ASSERT_TRUE(tables.has_value());
  EXPECT_EQ(tables->rotary_dim, 16);
  for (size_t at = 0; at < 300 * 8; at++) {
    const size_t position = at / 8;
    const float angle = static_cast<float>(position) * frequencies.inv_freq[at % 8];
    const double factor = static_cast<double>(frequencies.attention_factor);
    ASSERT_NEAR(tables->cos[at], std::cos(static_cast<double>(angle)) * factor, 2e-7) << at;
    ASSERT_NEAR(tables->sin[at], std::sin(static_cast<double>(angle)) * factor, 2e-7) << at;
    ASSERT_EQ(tables->cos[at], same->cos[at]);
  }
}

}  // namespace
}  // namespace strata::model
