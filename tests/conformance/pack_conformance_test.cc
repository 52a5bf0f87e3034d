// Packing with vectors writes the bytes of the portable loop: every pair of types, shapes cut by
// the matrix's edges, rows at odd addresses, runs of panels, and every 16-bit pattern.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "kernels/cpu_features.h"
#include "tensor/pack.h"
#if defined(__x86_64__)
#include "kernels/x86/pack_units.h"
#endif

namespace strata::kernels {
namespace {

using tensor::DType;
using tensor::PackArgs;
using tensor::ProductKind;
using PackFn = void (*)(const PackArgs&);

struct alignas(64) Line {
  std::byte bytes[64];
};

std::vector<std::byte> run(PackFn pack, PackArgs args, int64_t rows_per_run) {
  const int64_t rows = args.rows;
  const int64_t bytes = tensor::packed_elements(rows, args.k) * tensor::element_bytes(args.kind);
  std::vector<Line> memory(static_cast<size_t>(bytes / 64));
  std::memset(memory.data(), 0xee, static_cast<size_t>(bytes));
  args.dst = memory.data()->bytes;
  const auto* src = static_cast<const std::byte*>(args.src);
  for (int64_t row = 0; row < rows; row += rows_per_run) {
    args.first_row = row;
    args.rows = row + rows_per_run < rows ? rows_per_run : rows - row;
    args.src = src + row * args.k * static_cast<int64_t>(tensor::dtype_bytes(args.src_dtype));
    pack(args);
  }
  return {args.dst, args.dst + bytes};
}

std::vector<PackFn> fast_packers() {
  std::vector<PackFn> found;
#if defined(__x86_64__)
  if (cpu_features().avx2) found.push_back(pack_rows_avx2);
#endif
  return found;
}

// Signalling NaNs of f16 are left out: widening one to f32 sets its quiet bit in hardware.
bool signalling_f16(uint16_t bits) {
  return (bits & 0x7c00u) == 0x7c00u && (bits & 0x3ffu) != 0 && (bits & 0x200u) == 0;
}

std::vector<std::byte> random_source(DType dtype, int64_t elements, size_t offset) {
  std::mt19937_64 random(5);
  std::vector<std::byte> bytes(static_cast<size_t>(elements) * tensor::dtype_bytes(dtype) + offset);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  if (dtype != DType::kF16) return bytes;
  for (size_t at = offset; at + 1 < bytes.size(); at += 2) {
    uint16_t bits;
    std::memcpy(&bits, bytes.data() + at, 2);
    if (signalling_f16(bits)) bytes[at + 1] |= std::byte{0x02};
  }
  return bytes;
}

TEST(PackConformance, EveryPairOfTypesAndShape) {
  const int64_t shapes[][2] = {{1, 1},    {32, 32},  {33, 31},  {64, 64},
                               {17, 100}, {96, 257}, {130, 65}, {40, 1024}};
  for (const ProductKind kind : {ProductKind::kBf16, ProductKind::kF16, ProductKind::kF32}) {
    for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
      for (const auto& [rows, k] : shapes) {
        for (const size_t offset : {size_t{0}, size_t{3}}) {
          const std::vector<std::byte> source = random_source(dtype, rows * k, offset);
          const PackArgs args{.kind = kind,
                              .src_dtype = dtype,
                              .src = source.data() + offset,
                              .rows = rows,
                              .k = k};
          const std::vector<std::byte> want = run(tensor::pack_rows, args, rows);
          for (const PackFn pack : fast_packers()) {
            EXPECT_EQ(run(pack, args, rows), want) << rows << " x " << k;
            EXPECT_EQ(run(pack, args, 32), want) << rows << " x " << k << " in runs";
          }
        }
      }
    }
  }
}

TEST(PackConformance, EverySixteenBitPattern) {
  std::vector<uint16_t> patterns;
  for (uint32_t bits = 0; bits < 65536; bits++) patterns.push_back(static_cast<uint16_t>(bits));
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    for (const ProductKind kind : {ProductKind::kBf16, ProductKind::kF16, ProductKind::kF32}) {
      std::vector<uint16_t> source = patterns;
      for (uint16_t& bits : source)
        bits = dtype == DType::kF16 && signalling_f16(bits) ? uint16_t{0} : bits;
      const PackArgs args{
          .kind = kind, .src_dtype = dtype, .src = source.data(), .rows = 256, .k = 256};
      const std::vector<std::byte> want = run(tensor::pack_rows, args, 256);
      for (const PackFn pack : fast_packers()) EXPECT_EQ(run(pack, args, 256), want);
    }
  }
}

}  // namespace
}  // namespace strata::kernels
