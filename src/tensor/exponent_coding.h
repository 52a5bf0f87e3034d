// A lossless coding of panels of bf16 weights (packed.h) in about 11.3 of 16 bits. Trained weights
// use few exponents: seven neighbouring ones cover 95 to 98 % of a matrix. Signs and mantissas stay
// as they are; three bits say which of seven exponents, or that it stands in a list: an escape. Any
// chunk expands by itself into the very bits that were coded. A panel, all of a matrix of one size:
//   u16 highest of the seven, u16 first escape of each chunk; zeros up to 64 bytes
//   for each 64 weights: 64 bytes sign and mantissa, three planes of code bits (u64 each, bit i is
//     byte i's, the least significant first): one behind the other, as memory is read ahead best
//   the escapes' exponents, a byte each; zeros to the panel's end
// A weight's byte among 64 (coded_place) is where interleaving halves of 16-byte lanes, as vector
// units do, gives the order of the tile.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/packed.h"

namespace strata::tensor {

/// Names this coding, besides kPackedLayout, in files.
inline constexpr std::string_view kCodedLayout = "panels-1 exponents-1";

inline constexpr int64_t kCodedTileBytes = 704;
inline constexpr int64_t kCodedChunkBytes = 2 * kCodedTileBytes;
/// What a chunk may have: more would not fit its place in the header.
inline constexpr int64_t kMaxEscapes = 65535;
/// Exponents that have a code; the next code is the escape.
inline constexpr int kCodes = 7;

constexpr int64_t coded_header_bytes(int64_t k) {
  return round_up(2 + round_up(k, kChunk) / kChunk * 2, 64);
}

/// Where in a panel of `chunks` chunks the codes of `chunk` begin.
constexpr int64_t coded_chunk_offset(int64_t chunks, int64_t chunk) {
  return coded_header_bytes(chunks * kChunk) + chunk * kCodedChunkBytes;
}

/// Bytes of a coded panel of depth `k` with room for so many escapes; a multiple of 64. Vectors of
/// 64 bytes may be read from any escape on.
constexpr int64_t coded_panel_bytes(int64_t k, int64_t escapes) {
  return coded_header_bytes(k) + round_up(k, kChunk) / kChunk * kCodedChunkBytes +
         round_up(escapes, 64) + 64;
}

/// Whether panels of depth `k` may be coded in so many bytes.
constexpr bool is_coded_panel_size(int64_t k, int64_t panel_bytes) {
  return panel_bytes % 64 == 0 && panel_bytes >= coded_panel_bytes(k, 0) &&
         panel_bytes < kPanel * round_up(k, kChunk) * 2;
}

/// The byte of weight `i` among 64 in the order of the tile.
constexpr int64_t coded_place(int64_t i) { return i % 32 / 8 * 16 + i / 32 * 8 + i % 8; }

/// The code of a panel.
struct ExponentCode {
  int highest = 0;
  int64_t escapes = 0;
};

/// The one with the fewest escapes. `panel`: a packed panel of bf16.
ExponentCode choose_code(const std::byte* panel, int64_t k);

/// Writes the `panel_bytes` of a coded panel; false, and nothing written, where its escapes do not
/// fit.
[[nodiscard]] bool encode_panel(const std::byte* panel, int64_t k, int64_t panel_bytes,
                                std::byte* out);

/// In which order expanded weights lie, in groups of 64: four k of the 16 outputs n of a tile.
enum class WeightOrder : uint8_t {
  kPacked,  // packed.h's: [n][k, k + 1], [n][k + 2, k + 3]
  kChains,  // pairs of links of one chain, the later first: [n][k + 2, k], [n][k + 3, k + 1]
};

/// Where weight `i` of a group, counted as packed, stands in `order`.
constexpr int64_t place_in_order(int64_t i, WeightOrder order) {
  return order == WeightOrder::kPacked ? i : i % 2 * 32 + i % 32 / 2 * 2 + 1 - i / 32;
}

/// Consecutive chunks of a coded panel, expanded.
struct ExpandArgs {
  const std::byte* panel;
  int64_t panel_bytes;
  int64_t panel_chunks;
  int64_t first;   // chunk
  int64_t chunks;  // how many
  std::byte* out;  // [chunks][2 tiles] of bf16, 64-byte aligned
  WeightOrder order = WeightOrder::kPacked;
};

/// Reads inside of the panel whatever its bytes are.
void expand_chunks(const ExpandArgs& args);

/// expand_chunks, or a faster one of the same bytes.
using ExpandFn = void (*)(const ExpandArgs&);

}  // namespace strata::tensor
