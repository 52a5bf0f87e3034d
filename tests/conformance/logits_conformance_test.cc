// Every pass over a row of logits gives the bits of the scalar definition (kernels/ref/logits.cc)
// on odd widths, with NaN, infinities, denormals and zeros of both signs among the numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>
#include <string>
#include <utility>
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

// One NaN is as good as another.
void expect_same_numbers(std::vector<float> got, std::vector<float> want, const char* what,
                         const std::string& name) {
  for (std::vector<float>* numbers : {&got, &want}) {
    for (float& number : *numbers) number = std::isnan(number) ? NAN : number;
  }
  expect_same(got, want, what, name);
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
      std::vector<float> want_powers(x.size()), powers(x.size());
      args.out = want.data();
      args.sums = want_sums.data();
      args.powers = want_powers.data();
      kLogitsScalar.weights(args);
      args.out = got.data();
      args.sums = sums.data();
      args.powers = powers.data();
      for (const Named& variant : variants()) {
        got.assign(got.size(), -2);
        powers.assign(powers.size(), -2);
        variant.passes.weights(args);
        expect_same(got, want, "weights", variant.name);
        expect_same(sums, want_sums, "sums", variant.name);
        expect_same_numbers(powers, want_powers, "powers", variant.name);
      }
    }
  });
}

// Weights and powers of a row, as those who cut it have them.
struct Weighed {
  explicit Weighed(const std::vector<float>& x) : weights(x.size()), powers(x.size()) {
    std::vector<float> sums(blocks(x));
    kLogitsScalar.weights({.x = x.data(),
                           .n = static_cast<int64_t>(x.size()),
                           .max = largest(x),
                           .temperature = 1.5f,
                           .out = weights.data(),
                           .sums = sums.data(),
                           .powers = powers.data()});
  }
  std::vector<float> weights, powers;
};

TEST_F(LogitsConformance, BlockSums) {
  for_each_row([](const std::vector<float>& x) {
    const std::vector<float> weights = Weighed(x).weights;
    const auto n = static_cast<int64_t>(x.size());
    std::vector<float> want(blocks(x)), got(blocks(x));
    kLogitsScalar.block_sums(weights.data(), n, want.data());
    for (const Named& variant : variants()) {
      got.assign(got.size(), -2);
      variant.passes.block_sums(weights.data(), n, got.data());
      expect_same(got, want, "block_sums", variant.name);
    }
  });
}

TEST_F(LogitsConformance, MeansAndDeviations) {
  for_each_row([](const std::vector<float>& x) {
    const Weighed row(x);
    const auto n = static_cast<int64_t>(x.size());
    std::vector<float> want = row.powers;
    const double sum = kLogitsScalar.sum_products(row.weights.data(), row.powers.data(), n);
    EXPECT_TRUE(std::isfinite(sum));
    kLogitsScalar.deviations(row.weights.data(), n, sum / 7, want.data());
    for (const Named& variant : variants()) {
      EXPECT_EQ(variant.passes.sum_products(row.weights.data(), row.powers.data(), n), sum)
          << variant.name << " of " << n;
      std::vector<float> got = row.powers;
      variant.passes.deviations(row.weights.data(), n, sum / 7, got.data());
      expect_same(got, want, "deviations", variant.name);
    }
  });
}

// What each border holds: none, some and all, at equal keys and between them.
TEST_F(LogitsConformance, HeldSums) {
  for_each_row([](const std::vector<float>& x) {
    const Weighed row(x);
    const auto n = static_cast<int64_t>(x.size());
    for (const int64_t place : {int64_t{0}, n / 2, n - 1}) {
      const float key = row.powers[static_cast<size_t>(place)];
      const LogitBorder border{key, std::nextafter(key, INFINITY), place};
      const auto summed = [&](const LogitsKernels& passes) {
        std::vector<float> sums(blocks(x), -2);
        passes.held_sums(row.powers.data(), row.weights.data(), n, border, sums.data());
        return sums;
      };
      const std::vector<float> want = summed(kLogitsScalar);
      for (const Named& variant : variants())
        expect_same(summed(variant.passes), want, "held sums", variant.name);
    }
  });
}

struct Packed {
  explicit Packed(size_t room) : keys(room), weights(room), ids(room) {}
  std::vector<float> keys, weights;
  std::vector<int32_t> ids;
  LogitSplit made;
};

Packed split_by(const LogitsKernels& passes, LogitSplitArgs args) {
  Packed packed(static_cast<size_t>(args.n));
  args.packed_keys = packed.keys.data();
  args.packed_weights = packed.weights.data();
  args.packed_ids = packed.ids.data();
  packed.made = passes.split(args);
  const auto size = static_cast<size_t>(packed.made.packed);
  packed.keys.resize(size);
  packed.weights.resize(size);
  packed.ids.resize(size);
  return packed;
}

TEST_F(LogitsConformance, Split) {
  for_each_row([](const std::vector<float>& x) {
    const Weighed row(x);
    std::vector<int32_t> ids(x.size());
    for (size_t i = 0; i < ids.size(); i++) ids[i] = static_cast<int32_t>(3 * i + 1);
    LogitSplitArgs args{.keys = x.data(),
                        .weights = row.weights.data(),
                        .first_id = 5,
                        .n = static_cast<int64_t>(x.size())};
    for (const auto& [low, high] : {std::pair(-1.0f, 1.0f), {-3e38f, 0.5f}, {0.0f, INFINITY}}) {
      args.low = low;
      args.high = high;
      for (const int32_t* given : std::initializer_list<const int32_t*>{nullptr, ids.data()}) {
        args.ids = given;
        const Packed want = split_by(kLogitsScalar, args);
        for (const Named& variant : variants()) {
          const Packed got = split_by(variant.passes, args);
          EXPECT_EQ(got.made.above, want.made.above) << variant.name;
          EXPECT_EQ(got.made.least, want.made.least) << variant.name;
          EXPECT_EQ(got.ids, want.ids) << variant.name;
          ASSERT_EQ(got.keys.size(), want.keys.size());
          expect_same(got.keys, want.keys, "keys", variant.name);
          expect_same(got.weights, want.weights, "weights", variant.name);
        }
      }
    }
  });
}

// Packed over what it came from, and with nothing written behind the row.
TEST_F(LogitsConformance, SplitsInPlace) {
  for_each_row([](const std::vector<float>& x) {
    std::vector<int32_t> ids(x.size());
    for (size_t i = 0; i < ids.size(); i++) ids[i] = static_cast<int32_t>(i);
    LogitSplitArgs args{.ids = ids.data(), .n = static_cast<int64_t>(x.size())};
    args.low = -2;
    args.high = 2;
    const Weighed row(x);
    args.keys = x.data();
    args.weights = row.weights.data();
    const Packed want = split_by(kLogitsScalar, args);
    for (const Named& variant : variants()) {
      std::vector<float> keys = x, weights = row.weights;
      std::vector<int32_t> places = ids;
      for (std::vector<float>* numbers : {&keys, &weights}) numbers->push_back(77);
      places.push_back(77);
      args.keys = args.packed_keys = keys.data();
      args.weights = args.packed_weights = weights.data();
      args.ids = args.packed_ids = places.data();
      ASSERT_EQ(variant.passes.split(args).packed, want.made.packed) << variant.name;
      for (size_t i = 0; i < want.ids.size(); i++) {
        EXPECT_EQ(places[i], want.ids[i]) << variant.name;
        EXPECT_EQ(weights[i], want.weights[i]) << variant.name;
        EXPECT_EQ(keys[i], want.keys[i]) << variant.name;
      }
      EXPECT_TRUE(keys.back() == 77 && weights.back() == 77 && places.back() == 77) << variant.name;
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
