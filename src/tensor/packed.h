// The compute layout of a matrix, and of keys and values in the cache: one panel layout that every
// instruction set reads.
//
// A packed matrix W[N][K] is cut into panels of 32 outputs and chunks of 32 of K, both padded with
// +0. A chunk is two tiles of 16 outputs. A tile holds, by product kind,
//   bf16:      [16 k-pairs][16 n][2]   AMX's B operand; one 64-byte row is 16 outputs x (even k,
//   odd k) for FMA kernels f16, f32:  [32 k][16 n]            one row is 16 outputs of one k
// Order: [N/32][K/32][2 tiles][tile]. Keys of one head are W with N = 32 tokens and K = head size;
// values are W with N = head size and K = 32 tokens: attention is two products over the same layout
// (kv_format.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace strata::tensor {

/// The three product kinds of the numerics: which operand and cache types meet in a product.
enum class ProductKind : uint8_t { kBf16, kF16, kF32 };
inline constexpr int kProductKinds = 3;

/// "bf16", as --dtype and files name it.
constexpr std::string_view product_kind_name(ProductKind kind) {
  constexpr std::string_view kNames[kProductKinds] = {"bf16", "f16", "f32"};
  return kNames[static_cast<int>(kind)];
}

/// Names this layout, and how values are rounded into it, in files; changes with either.
inline constexpr std::string_view kPackedLayout = "panels-1";

inline constexpr int64_t kPanel = 32;     // outputs in a panel
inline constexpr int64_t kChunk = 32;     // depth of one even/odd chain pair
inline constexpr int64_t kTileCols = 16;  // outputs in a tile

constexpr int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Bytes of one stored element of a packed matrix or of the cache.
constexpr int64_t element_bytes(ProductKind kind) { return kind == ProductKind::kF32 ? 4 : 2; }

/// Bytes of one operand (activation) element: bf16 for bf16 products, f32 for the others.
constexpr int64_t operand_bytes(ProductKind kind) { return kind == ProductKind::kBf16 ? 2 : 4; }

/// Elements of a packed [n][k] matrix, padding included.
constexpr int64_t packed_elements(int64_t n, int64_t k) {
  return round_up(n, kPanel) * round_up(k, kChunk);
}

/// Index of element (n, k) in a packed matrix whose depth is `depth`.
constexpr int64_t packed_index(ProductKind kind, int64_t n, int64_t k, int64_t depth) {
  const int64_t chunks = round_up(depth, kChunk) / kChunk;
  const int64_t tile = ((n / kPanel) * chunks + k / kChunk) * 2 + (n % kPanel) / kTileCols;
  const int64_t row = k % kChunk, col = n % kTileCols;
  const int64_t inside =
      kind == ProductKind::kBf16 ? (row / 2) * 32 + col * 2 + row % 2 : row * kTileCols + col;
  return tile * kChunk * kTileCols + inside;
}

/// A packed matrix in memory; never owns. `n` and `k` are the true sizes, memory holds both rounded
/// up to 32.
struct PackedMatrix {
  const std::byte* data = nullptr;  // 64-byte aligned
  ProductKind kind = ProductKind::kBf16;
  int64_t n = 0;
  int64_t k = 0;
  /// Of a panel in exponent_coding.h's form, bf16 only; 0: panels are as above.
  int64_t coded_panel_bytes = 0;

  bool coded() const { return coded_panel_bytes != 0; }
  int64_t panel_bytes() const {
    return coded() ? coded_panel_bytes : packed_elements(kPanel, k) * element_bytes(kind);
  }
  int64_t bytes() const { return round_up(n, kPanel) / kPanel * panel_bytes(); }
};

}  // namespace strata::tensor
