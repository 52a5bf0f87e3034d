// Every row-wise kernel gives the bits of the scalar definition
// (kernels/ref/{norm,rope,elementwise}.cc) on odd widths, on values from denormal to huge, through
// the tables of every instruction set with 1 to 3 threads.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/compute_pool.h"
#include "elementwise_variants.h"
#include "kernels/fp_mode.h"
#include "kernels/kernel_table.h"
#include "kernels/math_tables.h"
#include "kernels/ref/ref.h"

namespace strata::kernels {
namespace {

using device::ExecContext;
using tensor::ProductKind;

constexpr int64_t kWidths[] = {1, 7, 16, 31, 32, 33, 40, 48, 100, 576, 2047};
constexpr ProductKind kKinds[] = {ProductKind::kBf16, ProductKind::kF16, ProductKind::kF32};

// A table over the portable vector kernels, which have no entry points of their own.
template <class Args, RowsFn ElementwiseKernels::* kFn>
void portable(const ExecContext& context, const Args& args) {
  run_rows(context, args.rows, 3, kElementwiseScalar16.*kFn, &args);
}
template <class Args, RowsFn (ElementwiseKernels::*kFns)[3], int kKind>
void portable(const ExecContext& context, const Args& args) {
  run_rows(context, args.rows, 3, (kElementwiseScalar16.*kFns)[kKind], &args);
}

template <class Args, RowsFn (ElementwiseKernels::*kFns)[3]>
ByKind<Args> portable_by_kind() {
  return {{{portable<Args, kFns, 0>}, {portable<Args, kFns, 1>}, {portable<Args, kFns, 2>}}};
}

KernelTable portable_table() {
  using K = ElementwiseKernels;
  KernelTable table;
  table.rms_norm = portable_by_kind<RmsNormArgs, &K::rms_norm>();
  table.silu_mul = portable_by_kind<SiluMulArgs, &K::silu_mul>();
  table.query_operand = portable_by_kind<QueryOperandArgs, &K::query_operand>();
  table.head_norm = {portable<HeadNormArgs, &K::head_norm>};
  table.rope = {portable<RopeArgs, &K::rope>};
  table.log_softmax = {portable<LogSoftmaxArgs, &K::log_softmax>};
  return table;
}

struct Named {
  std::string name;
  KernelTable table;
};

std::vector<Named> tables() {
  std::vector<Named> found = {{"scalar16", portable_table()}};
  for (const Isa isa : available_isas()) {
    found.push_back({std::string(isa_name(isa)), make_cpu_kernel_table(isa).value()});
  }
  return found;
}

ExecContext with_threads(int threads) {
  static std::unique_ptr<ComputePool> pools[4];
  if (!pools[threads]) pools[threads] = ComputePool::create(threads).value();
  ExecContext context;
  context.pool = pools[threads].get();
  return context;
}

// Normal values at one scale, some zeros of both signs, denormals and values of other scales among
// them.
std::vector<float> values(int64_t count, float scale, uint64_t seed) {
  std::mt19937_64 rng(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> x(static_cast<size_t>(count));
  for (float& value : x) {
    value = normal(rng);
    const uint64_t kind = rng() % 64;
    if (kind == 0) value = std::copysign(0.0f, value);
    if (kind == 1) value *= 1e-39f / scale;
    if (kind == 2) value *= 30.0f;
  }
  return x;
}

using Bytes = std::vector<std::byte>;

// Runs op on a fresh copy of `start` for every table and thread count; all must equal what
// `reference` makes of it.
template <class Run>
void expect_equal(const char* what, int64_t width, const Bytes& start, Run&& run) {
  KernelTable reference = make_cpu_kernel_table(Isa::kScalar).value();
  Bytes expected = start;
  run(reference, ExecContext{}, expected.data());
  EXPECT_NE(expected, start) << what << " " << width << ": the reference wrote nothing";
  for (const Named& named : tables()) {
    for (const int threads : {1, 2, 3}) {
      Bytes out = start;
      run(named.table, with_threads(threads), out.data());
      ASSERT_EQ(std::memcmp(out.data(), expected.data(), out.size()), 0)
          << what << " " << width << " " << named.name << " " << threads;
    }
  }
}

Bytes filled(int64_t bytes) { return Bytes(static_cast<size_t>(bytes), std::byte{0x5a}); }

Bytes copied(const std::vector<float>& from) {
  Bytes bytes(from.size() * 4);
  std::memcpy(bytes.data(), from.data(), bytes.size());
  return bytes;
}

TEST(ElementwiseConformance, RmsNorm) {
  constexpr int64_t kRows = 19;
  for (const ProductKind kind : kKinds) {
    for (const int64_t cols : kWidths) {
      for (const float scale : {1.0f, 1e-21f, 1e15f}) {
        const std::vector<float> x = values(kRows * (cols + 3), scale, 1),
                                 weight = values(cols, 1.0f, 2);
        const int64_t stride = tensor::round_up(cols, 32) + 8;
        expect_equal("rms_norm", cols, filled(kRows * stride * 4),
                     [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                       table.rms_norm[static_cast<int>(kind)](
                           context,
                           {x.data(), cols + 3, weight.data(), 1e-5f, kRows, cols, out, stride});
                     });
      }
    }
  }
}

TEST(ElementwiseConformance, HeadNorm) {
  constexpr int64_t kRows = 17, kHeads = 3;
  for (const int64_t dim : {8, 40, 64, 80, 128, 256}) {
    const int64_t stride = kHeads * dim + 5;
    const std::vector<float> x = values(kRows * stride, 2.0f, 3), weight = values(dim, 1.0f, 4);
    expect_equal("head_norm", dim, copied(x),
                 [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                   table.head_norm(context, {reinterpret_cast<float*>(out), stride, weight.data(),
                                             1e-6f, kRows, kHeads, dim});
                 });
  }
}

TEST(ElementwiseConformance, Rope) {
  constexpr int64_t kRows = 18, kHeads = 3, kPositions = 50;
  for (const auto& [dim, rotary] :
       {std::pair{64, 64}, {40, 40}, {80, 80}, {128, 64}, {40, 10}, {256, 256}}) {
    std::vector<float> inv_freq(static_cast<size_t>(rotary / 2));
    default_inv_freq(10000.0f, rotary, inv_freq);
    std::vector<float> cos(static_cast<size_t>(kPositions * rotary / 2)), sin(cos.size());
    build_rope_table(inv_freq, 0, kPositions, 1.0f, cos.data(), sin.data());
    std::vector<int32_t> positions;
    for (int64_t row = 0; row < kRows; row++)
      positions.push_back(static_cast<int32_t>(row * 29 % kPositions));
    const int64_t stride = kHeads * dim + 3;
    expect_equal("rope", dim, copied(values(kRows * stride, 1.0f, 5)),
                 [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                   table.rope(context, {reinterpret_cast<float*>(out), stride, kRows, kHeads, dim,
                                        rotary, cos.data(), sin.data(), positions.data()});
                 });
  }
}

TEST(ElementwiseConformance, QueryOperand) {
  constexpr int64_t kRows = 21, kHeads = 5;
  for (const ProductKind kind : kKinds) {
    for (const int64_t dim : {8, 40, 64, 80, 256}) {
      const int64_t stride = kHeads * dim + 1;
      const std::vector<float> x = values(kRows * stride, 3.0f, 6);
      expect_equal("query_operand", dim, filled(kRows * kHeads * tensor::round_up(dim, 32) * 4),
                   [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                     table.query_operand[static_cast<int>(kind)](
                         context, {x.data(), stride, kRows, kHeads, dim, out});
                   });
    }
  }
}

TEST(ElementwiseConformance, SiluMul) {
  constexpr int64_t kRows = 9;
  for (const ProductKind kind : kKinds) {
    for (const int64_t cols : kWidths) {
      // Gates reach beyond +-88, where exp is infinity or zero.
      for (const float scale : {1.0f, 60.0f, 1e-30f}) {
        const int64_t stride = cols + 5, out_stride = tensor::round_up(cols, 32) + 32;
        const std::vector<float> gate = values(kRows * stride, scale, 7),
                                 up = values(kRows * stride, 1.0f, 8);
        expect_equal("silu_mul", cols, filled(kRows * out_stride * 4),
                     [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                       table.silu_mul[static_cast<int>(kind)](
                           context, {gate.data(), up.data(), stride, kRows, cols, out, out_stride});
                     });
      }
    }
  }
}

TEST(ElementwiseConformance, LogSoftmaxAlsoInPlace) {
  constexpr int64_t kRows = 5;
  for (const int64_t cols : {1, 2, 15, 17, 1000, 32003}) {
    for (const float scale : {2.0f, 80.0f}) {
      const std::vector<float> x = values(kRows * cols, scale, 9);
      expect_equal("log_softmax", cols, copied(x),
                   [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                     auto* both = reinterpret_cast<float*>(out);
                     table.log_softmax(context, {both, kRows, cols, both});
                   });
    }
  }
}

// Equal bits, except that any NaN equals any NaN: which of two an operation passes on is the
// compiler's choice of operand order.
void expect_same_floats(const Bytes& got, const Bytes& want, const std::string& what) {
  for (size_t at = 0; at + 4 <= want.size(); at += 4) {
    float x, y;
    std::memcpy(&x, got.data() + at, 4);
    std::memcpy(&y, want.data() + at, 4);
    if (std::isnan(x) && std::isnan(y)) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(x), std::bit_cast<uint32_t>(y)) << what << " at " << at / 4;
  }
}

// Rows of ordinary values with one odd value each, at a column that moves from row to row.
std::vector<float> with_odd_values(int64_t rows, int64_t cols) {
  constexpr uint32_t kOdd[] = {0x7fc00000, 0xffc00000, 0x7fc00001, 0xffc1ffff,
                               0x7f800001, 0x7f800000, 0xff800000};
  std::vector<float> x = values(rows * cols, 1.0f, 11);
  for (int64_t row = 0; row < rows; row++) {
    const auto at = static_cast<size_t>(row * cols + row * 5 % cols);
    x[at] = std::bit_cast<float>(kOdd[static_cast<size_t>(row) % std::size(kOdd)]);
  }
  return x;
}

TEST(ElementwiseConformance, NanAndInfinityInBf16OperandsAreTheSameBits) {
  constexpr int64_t kRows = 21;
  const int bf16 = static_cast<int>(ProductKind::kBf16);
  for (const int64_t cols : {7, 32, 40, 100}) {
    const std::vector<float> x = with_odd_values(kRows, cols), ones(static_cast<size_t>(cols), 1);
    const std::vector<float> up(static_cast<size_t>(kRows * cols), 1);
    const int64_t stride = tensor::round_up(cols, 32);
    expect_equal("rms_norm", cols, filled(kRows * stride * 2),
                 [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                   table.rms_norm[bf16](
                       context, {x.data(), cols, ones.data(), 1e-5f, kRows, cols, out, stride});
                 });
    expect_equal("silu_mul", cols, filled(kRows * stride * 2),
                 [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                   table.silu_mul[bf16](context,
                                        {x.data(), up.data(), cols, kRows, cols, out, stride});
                 });
    expect_equal("query_operand", cols, filled(kRows * stride * 2),
                 [&](const KernelTable& table, const ExecContext& context, std::byte* out) {
                   table.query_operand[bf16](context, {x.data(), cols, kRows, 1, cols, out});
                 });
  }
}

TEST(ElementwiseConformance, NanAndInfinityInLogSoftmaxStay) {
  constexpr int64_t kRows = 21;
  for (const int64_t cols : {1, 16, 33, 100}) {
    const std::vector<float> x = with_odd_values(kRows, cols);
    Bytes expected = copied(x);
    auto* want = reinterpret_cast<float*>(expected.data());
    ref_log_softmax({}, {want, kRows, cols, want});
    for (const Named& named : tables()) {
      Bytes out = copied(x);
      auto* both = reinterpret_cast<float*>(out.data());
      named.table.log_softmax(with_threads(2), {both, kRows, cols, both});
      expect_same_floats(out, expected, named.name + " " + std::to_string(cols));
    }
  }
}

TEST(ElementwiseConformance, LogSoftmaxSumsToOne) {
  const std::vector<float> x = values(1000, 3.0f, 10);
  std::vector<float> out(x.size());
  ref_log_softmax({}, {x.data(), 1, 1000, out.data()});
  double total = 0;
  for (const float value : out) total += std::exp(static_cast<double>(value));
  EXPECT_NEAR(total, 1.0, 1e-5);
}

}  // namespace
}  // namespace strata::kernels
