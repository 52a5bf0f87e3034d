// Every linear kernel gives the bits of the scalar definition (kernels/ref/linear.cc), and a row's
// bits depend neither on how many rows come along nor on which one it is. Inputs are random finite
// bits with zeros of both signs and denormals.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/compute_pool.h"
#include "kernels/cpu_features.h"
#include "kernels/fp_mode.h"
#include "kernels/linear.h"
#include "kernels/ref/linear.h"
#include "linear_variants.h"
#include "tensor/float_bits.h"
#include "tensor/pack.h"
#if defined(__x86_64__)
#include "kernels/x86/expand/expand_units.h"
#include "kernels/x86/linear_units.h"
#endif

namespace strata::kernels {
namespace {

using tensor::ProductKind;

struct Variant {
  std::string name;
  const LinearKernels* kernels;
  ExpandFn expand = tensor::expand_chunks;
};

std::vector<Variant> variants() {
  std::vector<Variant> found = {{"wide_on_scalar16", kWideOnScalar16},
                                {"narrow_on_scalar16", kNarrowOnScalar16},
                                {"emulated_amx", kEmulatedAmx},
                                {"emulated_dot", kEmulatedDot}};
#if defined(__x86_64__)
  const CpuFeatures& cpu = cpu_features();
  if (cpu.avx2) found.push_back({"avx2", kLinearAvx2});
  if (cpu.avx2) found.push_back({"wide_on_avx2", kWideOnAvx2});
  if (cpu.avx512) found.push_back({"avx512", kLinearAvx512});
  if (cpu.avx512) found.push_back({"narrow_on_avx512", kNarrowOnAvx512});
  if (cpu.avx512_bf16) found.push_back({"avx512_bf16", kLinearAvx512Bf16});
  if (cpu.amx_bf16) found.push_back({"amx", kLinearAmx});
  if (cpu.avx2) found.push_back({"expanded_avx2", kLinearAvx2, expand_chunks_avx2});
  if (cpu.avx512_vbmi2) found.push_back({"expanded_vbmi2", kLinearAvx512, expand_chunks_vbmi2});
  if (cpu.avx2) found.push_back({"chains_avx2", kEmulatedDot, expand_chunks_avx2});
  if (cpu.avx512_vbmi2) found.push_back({"chains_vbmi2", kEmulatedDot, expand_chunks_vbmi2});
#endif
  return found;
}

// Memory aligned as the engine's is.
template <class T>
class Aligned {
 public:
  explicit Aligned(int64_t count) : words_(static_cast<size_t>(count) * sizeof(T) / 64 + 2) {}
  T* data() { return reinterpret_cast<T*>(words_.data()); }

 private:
  struct alignas(64) Word {
    std::byte bytes[64] = {};
  };
  std::vector<Word> words_;
};

using Random = std::mt19937_64;

// Finite f32 bits: exponents spread around `center`, one in eight a zero or a denormal of random
// sign.
float random_float(Random& random, int center) {
  const auto word = static_cast<uint32_t>(random());
  const auto choice = static_cast<uint32_t>(random() % 16);
  const uint32_t sign = word & 0x80000000u;
  if (choice == 0) return std::bit_cast<float>(sign);
  if (choice == 1) return std::bit_cast<float>(sign | (word & 0x007fffffu));
  const auto exponent = static_cast<uint32_t>(center + static_cast<int>(random() % 9) - 4);
  return std::bit_cast<float>(sign | exponent << 23 | (word & 0x007fffffu));
}

uint32_t element_bits(ProductKind kind, float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (kind == ProductKind::kBf16) return bits >> 16;  // cut, so that denormals stay
  return kind == ProductKind::kF16 ? tensor::to_f16(value).bits : bits;
}

struct Shape {
  int64_t m, k;
  std::vector<int64_t> n;
  bool bias = false;
  bool accumulate = false;
  int64_t extra_x = 0;    // columns beyond the padded depth
  int64_t extra_out = 0;  // columns beyond n
  int center = 127;       // exponent of the inputs: 64 makes products and sums denormal
};

std::string describe(const Shape& shape) {
  std::string text = "m=" + std::to_string(shape.m) + " k=" + std::to_string(shape.k) + " n=";
  for (const int64_t n : shape.n) text += std::to_string(n) + ",";
  return text + (shape.bias ? " bias" : "") + (shape.accumulate ? " accumulate" : "") +
         " center=" + std::to_string(shape.center);
}

// One problem: operands, packed weights, biases and the outputs' first contents.
struct Problem {
  Shape shape;
  ProductKind kind;
  int64_t x_stride;
  Aligned<std::byte> x;
  std::vector<Aligned<std::byte>> weights;
  std::vector<int64_t> coded;  // of each part, bytes of a coded panel; empty: they are packed
  std::vector<std::vector<float>> biases;
  std::vector<std::vector<float>> start;

  Problem(const Shape& s, ProductKind product, Random& random)
      : shape(s),
        kind(product),
        x_stride(tensor::round_up(s.k, 32) + s.extra_x),
        x(s.m * x_stride * 4) {
    fill_operands(random);
    for (const int64_t n : shape.n) add_part(n, random);
  }

  void fill_operands(Random& random) {
    for (int64_t row = 0; row < shape.m; row++) {
      for (int64_t k = 0; k < shape.k; k++) {
        const float value = random_float(random, shape.center);
        const int64_t at = row * x_stride + k;
        if (kind == ProductKind::kBf16) {
          reinterpret_cast<uint16_t*>(x.data())[at] =
              static_cast<uint16_t>(element_bits(kind, value));
        } else {
          reinterpret_cast<float*>(x.data())[at] = value;
        }
      }
    }
  }

  void add_part(int64_t n, Random& random) {
    Aligned<std::byte>& w =
        weights.emplace_back(tensor::packed_elements(n, shape.k) * tensor::element_bytes(kind));
    for (int64_t row = 0; row < n; row++) {
      for (int64_t k = 0; k < shape.k; k++) {
        const int center = kind == ProductKind::kF16 ? 115 : shape.center;
        const uint32_t bits = element_bits(kind, random_float(random, center));
        const int64_t at = tensor::packed_index(kind, row, k, shape.k);
        if (kind == ProductKind::kF32) {
          reinterpret_cast<uint32_t*>(w.data())[at] = bits;
        } else {
          reinterpret_cast<uint16_t*>(w.data())[at] = static_cast<uint16_t>(bits);
        }
      }
    }
    std::vector<float>& bias = biases.emplace_back();
    for (int64_t i = 0; i < n; i++) bias.push_back(random_float(random, shape.center));
    std::vector<float>& out = start.emplace_back();
    for (int64_t i = 0; i < shape.m * (n + shape.extra_out); i++)
      out.push_back(random_float(random, shape.center));
  }

  // From now on parts are coded, each with room for the escapes of its worst panel.
  void code_weights() {
    for (size_t part = 0; part < weights.size(); part++) {
      const tensor::PackedMatrix packed{weights[part].data(), kind, shape.n[part], shape.k};
      const int64_t panels = packed.bytes() / packed.panel_bytes();
      int64_t escapes = 0;
      for (int64_t i = 0; i < panels; i++) {
        const std::byte* panel = packed.data + i * packed.panel_bytes();
        escapes = std::max(escapes, tensor::choose_code(panel, shape.k).escapes);
      }
      const int64_t bytes = tensor::coded_panel_bytes(shape.k, escapes);
      Aligned<std::byte> out(panels * bytes);
      for (int64_t i = 0; i < panels; i++) {
        EXPECT_TRUE(tensor::encode_panel(packed.data + i * packed.panel_bytes(), shape.k, bytes,
                                         out.data() + i * bytes));
      }
      weights[part] = std::move(out);
      coded.push_back(bytes);
    }
  }

  // Rows [first, first + rows) computed by `op` into copies of the first contents.
  template <class Op>
  std::vector<std::vector<float>> run(Op op, int64_t first, int64_t rows) {
    std::vector<std::vector<float>> outs = start;
    std::vector<LinearPart> parts;
    for (size_t i = 0; i < weights.size(); i++) {
      const int64_t n = shape.n[i], stride = n + shape.extra_out;
      const int64_t panel = coded.empty() ? 0 : coded[i];
      parts.push_back({.w = {weights[i].data(), kind, n, shape.k, panel},
                       .bias = shape.bias ? biases[i].data() : nullptr,
                       .out = outs[i].data() + first * stride,
                       .out_stride = stride,
                       .accumulate = shape.accumulate});
    }
    op({.x = x.data() + first * x_stride * tensor::operand_bytes(kind),
        .x_stride = x_stride,
        .m = rows,
        .parts = parts});
    return outs;
  }
};

std::string difference(const std::vector<std::vector<float>>& got,
                       const std::vector<std::vector<float>>& want) {
  for (size_t part = 0; part < want.size(); part++) {
    if (std::memcmp(got[part].data(), want[part].data(), want[part].size() * sizeof(float)) == 0)
      continue;
    for (size_t i = 0; i < want[part].size(); i++) {
      const uint32_t a = std::bit_cast<uint32_t>(got[part][i]),
                     b = std::bit_cast<uint32_t>(want[part][i]);
      if (a != b) {
        return "part " + std::to_string(part) + " element " + std::to_string(i) + ": " +
               std::to_string(a) + " instead of " + std::to_string(b);
      }
    }
  }
  return {};
}

class LinearConformance : public testing::TestWithParam<int> {
 protected:
  LinearConformance()
      : pool_(std::move(ComputePool::create(2)).value()), workspace_(int64_t{16} << 20) {}

  device::ExecContext context(int64_t rows, int64_t k) {
    return {.workspace = {workspace_.data(), static_cast<size_t>(linear_workspace_bytes(rows, k))},
            .pool = pool_.get()};
  }

  void reference(ProductKind kind, const LinearArgs& args) {
    const device::ExecContext ctx = context(0, 0);
    if (kind == ProductKind::kBf16) ref_linear<ProductKind::kBf16>(ctx, args);
    if (kind == ProductKind::kF16) ref_linear<ProductKind::kF16>(ctx, args);
    if (kind == ProductKind::kF32) ref_linear<ProductKind::kF32>(ctx, args);
  }

  void run_kernels(const Variant& variant, ProductKind kind, const LinearArgs& args) {
    run_linear(context(args.m, args.parts[0].w.k), args, variant.kernels[static_cast<int>(kind)],
               variant.expand);
  }

  void check_shape(const Shape& shape, ProductKind kind) {
    Random random(static_cast<uint64_t>(shape.m * 1000003 + shape.k * 101 + shape.n[0]));
    Problem problem(shape, kind, random);
    const auto by_definition = [&](const LinearArgs& args) { reference(kind, args); };
    const auto want = problem.run(by_definition, 0, shape.m);
    compare_variants(problem, want);
    if (kind != ProductKind::kBf16) return;
    problem.code_weights();
    EXPECT_EQ(difference(problem.run(by_definition, 0, shape.m), want), "") << describe(shape);
    compare_variants(problem, want);
  }

  void compare_variants(Problem& problem, const std::vector<std::vector<float>>& want) {
    const ProductKind kind = problem.kind;
    for (const Variant& variant : variants()) {
      if (variant.kernels[static_cast<int>(kind)].run == nullptr) continue;
      const auto op = [&](const LinearArgs& args) { run_kernels(variant, kind, args); };
      EXPECT_EQ(difference(problem.run(op, 0, problem.shape.m), want), "")
          << variant.name << " kind " << static_cast<int>(kind) << " " << describe(problem.shape)
          << (problem.coded.empty() ? "" : " coded");
    }
  }

  std::unique_ptr<ComputePool> pool_;
  Aligned<std::byte> workspace_;
};

TEST_P(LinearConformance, EveryRowCount) {
  for (int64_t m = 1; m <= 70; m++) {
    check_shape({.m = m, .k = 33 + m % 5 * 31, .n = {40}, .accumulate = m % 2 == 0},
                static_cast<ProductKind>(GetParam()));
  }
}

TEST_P(LinearConformance, OddShapes) {
  const Shape shapes[] = {
      {.m = 1, .k = 1, .n = {1}},
      {.m = 1, .k = 32, .n = {32}, .bias = true},
      {.m = 1, .k = 1000, .n = {3, 500, 17}, .bias = true, .accumulate = true, .extra_out = 5},
      {.m = 2, .k = 300, .n = {16, 48}, .extra_x = 40, .extra_out = 3},
      {.m = 3, .k = 64, .n = {15, 16, 17, 31, 32, 33}, .bias = true},
      {.m = 5, .k = 2080, .n = {65}, .accumulate = true, .extra_x = 7},
      {.m = 7, .k = 257, .n = {129}, .bias = true, .accumulate = true},
      {.m = 16, .k = 96, .n = {300}, .extra_out = 1},
      {.m = 17, .k = 520, .n = {33}, .bias = true},
      {.m = 129, .k = 100, .n = {34, 2}, .bias = true, .accumulate = true},
  };
  for (const Shape& shape : shapes) check_shape(shape, static_cast<ProductKind>(GetParam()));
}

TEST_P(LinearConformance, ManyRows) {
  check_shape({.m = 512, .k = 72, .n = {40}}, static_cast<ProductKind>(GetParam()));
  check_shape({.m = 257, .k = 290, .n = {33}, .bias = true}, static_cast<ProductKind>(GetParam()));
  check_shape({.m = 530, .k = 33, .n = {17}, .accumulate = true},
              static_cast<ProductKind>(GetParam()));
}

TEST_P(LinearConformance, ProductsAndSumsThatUnderflow) {
  // 2^-63 squared is the least normal number: products, chains and sums fall on both sides of it.
  for (const int center : {62, 64, 66}) {
    check_shape({.m = 9, .k = 200, .n = {50}, .bias = true, .accumulate = true, .center = center},
                static_cast<ProductKind>(GetParam()));
  }
}

TEST_P(LinearConformance, RowDependsOnItselfOnly) {
  const auto kind = static_cast<ProductKind>(GetParam());
  Random random(7);
  Problem problem({.m = 150, .k = 330, .n = {70}, .extra_out = 2}, kind, random);
  for (const Variant& variant : variants()) {
    if (variant.kernels[GetParam()].run == nullptr) continue;
    const auto op = [&](const LinearArgs& args) { run_kernels(variant, kind, args); };
    const auto all = problem.run(op, 0, 150);
    for (const auto& [first, rows] : {std::pair<int64_t, int64_t>{0, 1},
                                      {3, 1},
                                      {149, 1},
                                      {10, 5},
                                      {20, 16},
                                      {50, 33},
                                      {60, 64}}) {
      const auto some = problem.run(op, first, rows);
      EXPECT_EQ(std::memcmp(some[0].data() + first * 72, all[0].data() + first * 72,
                            static_cast<size_t>(rows) * 72 * sizeof(float)),
                0)
          << variant.name << " rows from " << first << " count " << rows;
    }
  }
}

// A damaged panel is read before its unit's next comparison with the checksum. A checked build sees
// what lies behind it.
TEST(ExpandChunks, StaysInsideOfADamagedPanel) {
  constexpr int64_t kDepth = 96;
  const int64_t bytes = tensor::coded_panel_bytes(kDepth, 0);
  for (const Variant& variant : variants()) {
    for (const int fill : {0x00, 0x7f, 0xff}) {
      auto panel = std::make_unique<Aligned<std::byte>>(bytes - 128);
      std::memset(panel->data(), fill, static_cast<size_t>(bytes));
      Aligned<std::byte> out(3 * 2048);
      variant.expand({panel->data(), bytes, 3, 0, 3, out.data()});
      EXPECT_EQ(static_cast<int>(out.data()[1] & std::byte{0x80}), fill & 0x80) << variant.name;
    }
  }
}

std::string kind_name(const testing::TestParamInfo<int>& info) {
  return std::vector<std::string>{"Bf16", "F16", "F32"}[static_cast<size_t>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Kinds, LinearConformance, testing::Range(0, tensor::kProductKinds),
                         kind_name);

}  // namespace
}  // namespace strata::kernels
