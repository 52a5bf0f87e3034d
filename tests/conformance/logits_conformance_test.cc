// Every pass over a row of logits gives the bits of the scalar definition (kernels/ref/logits.cc)
// on odd widths, with NaN, infinities, denormals and zeros of both signs among the numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/fp_mode.h"
#include "kernels/kernel_table.h"
#include "kernels/ref/math.h"
#include "kernels/ref/ref.h"
#include "logits_variants.h"

namespace strata::kernels {
namespace {

constexpr int64_t kWidths[] = {1, 15, 16, 17, 63, 64, 65, 127, 128, 130, 1000, 4097};

struct Named {
  std::string name;
  LogitsKernels passes;
};

std::vector<Named> variants() {
  std::vector<Named> found = {{"scalar16", kLogitsScalar16}};
  for (const Isa isa : available_isas())
    found.push_back({std::string(isa_name(isa)), make_cpu_kernel_table(isa).value().logits});
  return found;
}

std::vector<float> row(int64_t n, int kind, uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<float> normal(0.0f, kind == 2 ? 40.0f : 3.0f);
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) {
    value = kind == 3 ? 1e-40f : normal(rng);
    if (kind == 0) continue;
    const float odd[] = {NAN, -INFINITY, 0.0f, -0.0f, 1e-40f, -1e-40f};
    if (rng() % 3 == 0) value = odd[rng() % 6];
  }
  if (kind == 4) x.assign(x.size(), NAN);
  return x;
}

float largest(const std::vector<float>& x) {
  float max = -INFINITY;
  for (const float value : x) max = value > max ? value : max;
  return std::isfinite(max) ? max : 0.0f;
}

size_t blocks(const std::vector<float>& x) {
  return (x.size() + kLogitBlock - 1) / static_cast<size_t>(kLogitBlock);
}

void expect_same(const std::vector<float>& got, const std::vector<float>& want, const char* what,
                 const std::string& name) {
  EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0)
      << what << " " << name << " of " << want.size();
}

class LogitsConformance : public testing::Test {
 protected:
  template <class Check>
  void for_each_row(Check&& check) {
    const FpModeScope mode;
    for (const int64_t width : kWidths) {
      for (int kind = 0; kind < 5; kind++)
        check(row(width, kind, static_cast<uint64_t>(width * 5 + kind)));
    }
  }
};

TEST_F(LogitsConformance, BlockMax) {
  for_each_row([](const std::vector<float>& x) {
    const auto n = static_cast<int64_t>(x.size());
    std::vector<float> want(blocks(x), -1), got(blocks(x));
    kLogitsScalar.block_max(x.data(), n, want.data());
    for (const Named& variant : variants()) {
      got.assign(got.size(), -2);
      variant.passes.block_max(x.data(), n, got.data());
      expect_same(got, want, "block_max", variant.name);
    }
  });
}

TEST_F(LogitsConformance, WeightsAndTheirSums) {
  for_each_row([](const std::vector<float>& x) {
    for (const float temperature : {1.0f, 0.3f, 100.0f, 1e-30f}) {
      LogitWeightsArgs args{.x = x.data(),
                            .n = static_cast<int64_t>(x.size()),
                            .max = largest(x),
                            .temperature = temperature};
      std::vector<float> want(x.size()), want_sums(blocks(x)), got(x.size()), sums(blocks(x));
      args.out = want.data();
      args.sums = want_sums.data();
      kLogitsScalar.weights(args);
      args.out = got.data();
      args.sums = sums.data();
      for (const Named& variant : variants()) {
        got.assign(got.size(), -2);
        variant.passes.weights(args);
        expect_same(got, want, "weights", variant.name);
        expect_same(sums, want_sums, "sums", variant.name);
      }
    }
  });
}

TEST_F(LogitsConformance, SumExp) {
  for_each_row([](const std::vector<float>& x) {
    const auto n = static_cast<int64_t>(x.size());
    const float want = kLogitsScalar.sum_exp(x.data(), n, largest(x));
    for (const Named& variant : variants())
      expect_same({variant.passes.sum_exp(x.data(), n, largest(x))}, {want}, "sum_exp",
                  variant.name);
  });
}

// The sum is the one under the log of the log_softmax op.
TEST_F(LogitsConformance, SumExpIsThatOfLogSoftmax) {
  const FpModeScope mode;
  const std::vector<float> x = row(1000, 0, 7);
  std::vector<float> out(x.size());
  const KernelTable table = make_cpu_kernel_table(Isa::kScalar).value();
  table.log_softmax({}, {.x = x.data(), .rows = 1, .cols = 1000, .out = out.data()});
  const float max = largest(x);
  const float log_sum = log_f32(kLogitsScalar.sum_exp(x.data(), 1000, max));
  for (size_t i = 0; i < x.size(); i++) EXPECT_EQ((x[i] - max) - log_sum, out[i]);
}

}  // namespace
}  // namespace strata::kernels
