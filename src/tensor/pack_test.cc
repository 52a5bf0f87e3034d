// The portable packing loop puts every element where packed_index says, converts as float_bits.h
// says and pads with +0.
#include "tensor/pack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tensor/float_bits.h"

namespace strata::tensor {
namespace {

struct Packed {
  std::vector<std::byte> bytes;
  ProductKind kind;
  int64_t k;

  uint32_t at(int64_t row, int64_t column) const {
    const int64_t size = element_bytes(kind);
    uint32_t bits = 0;
    std::memcpy(&bits, bytes.data() + packed_index(kind, row, column, k) * size,
                static_cast<size_t>(size));
    return bits;
  }
};

Packed pack(ProductKind kind, DType dtype, const void* src, int64_t rows, int64_t k) {
  Packed packed{{}, kind, k};
  // 0xee: padding has to be written, not found.
  packed.bytes.assign(static_cast<size_t>(packed_elements(rows, k) * element_bytes(kind)),
                      std::byte{0xee});
  pack_rows({.kind = kind,
             .src_dtype = dtype,
             .src = src,
             .rows = rows,
             .k = k,
             .dst = packed.bytes.data()});
  return packed;
}

TEST(Pack, KeepsBitsOfTheSameType) {
  constexpr int64_t kRows = 45, kColumns = 39;
  std::vector<uint16_t> src;
  for (int i = 0; i < kRows * kColumns; i++) src.push_back(static_cast<uint16_t>(i * 37));
  for (const auto& [kind, dtype] :
       {std::pair{ProductKind::kBf16, DType::kBF16}, {ProductKind::kF16, DType::kF16}}) {
    const Packed packed = pack(kind, dtype, src.data(), kRows, kColumns);
    for (int64_t row = 0; row < 64; row++) {
      for (int64_t column = 0; column < 64; column++) {
        const bool inside = row < kRows && column < kColumns;
        const uint32_t want = inside ? src[static_cast<size_t>(row * kColumns + column)] : 0;
        ASSERT_EQ(packed.at(row, column), want) << row << " " << column;
      }
    }
  }
}

TEST(Pack, ConvertsBetweenTypes) {
  const std::vector<float> src = {1.0f, -0.0f, 1.00390625f, 1e-40f, 65504.0f, 3.1415927f};
  const Packed half = pack(ProductKind::kF16, DType::kF32, src.data(), 2, 3);
  const Packed brain = pack(ProductKind::kBf16, DType::kF32, src.data(), 2, 3);
  const Packed full = pack(ProductKind::kF32, DType::kF32, src.data(), 2, 3);
  for (int64_t i = 0; i < 6; i++) {
    const float value = src[static_cast<size_t>(i)];
    EXPECT_EQ(half.at(i / 3, i % 3), to_f16(value).bits);
    EXPECT_EQ(brain.at(i / 3, i % 3), to_bf16(value).bits);
    EXPECT_EQ(full.at(i / 3, i % 3), std::bit_cast<uint32_t>(value));
  }
  const uint16_t brains[] = {0x3f80, 0xc2c8};
  const Packed widened = pack(ProductKind::kF32, DType::kBF16, brains, 1, 2);
  EXPECT_EQ(widened.at(0, 0), 0x3f800000u);
  EXPECT_EQ(widened.at(0, 1), 0xc2c80000u);
}

TEST(Pack, RunsOfPanelsMakeTheWhole) {
  constexpr int64_t kRows = 100, kColumns = 70;
  std::vector<float> src;
  for (int i = 0; i < kRows * kColumns; i++) src.push_back(static_cast<float>(i));
  const Packed whole = pack(ProductKind::kF32, DType::kF32, src.data(), kRows, kColumns);
  Packed pieces = whole;
  pieces.bytes.assign(pieces.bytes.size(), std::byte{0xee});
  for (int64_t row = 0; row < kRows; row += 64) {
    pack_rows({.kind = ProductKind::kF32,
               .src_dtype = DType::kF32,
               .src = src.data() + row * kColumns,
               .first_row = row,
               .rows = row + 64 < kRows ? 64 : kRows - row,
               .k = kColumns,
               .dst = pieces.bytes.data()});
  }
  EXPECT_EQ(pieces.bytes, whole.bytes);
}

}  // namespace
}  // namespace strata::tensor
