// Where keys and values of one layer lie inside a KV block: pure arithmetic shared by kernels,
// model and memory.
//
// A block holds block_tokens tokens of every layer of one KV group: [layer][32-token tile][K of all
// heads][V of all heads]. K of a head is a packed matrix of 32 outputs (tokens) and depth head_dim;
// V is a packed matrix of head_dim outputs and depth 32 (tokens), see packed.h. Head sizes are
// padded to 32 with +0. The element type follows the product kind: bf16 for bf16, f16 for f16, f32
// for f32.
#pragma once

#include "tensor/packed.h"

namespace strata::tensor {

inline constexpr int64_t kKvTile = 32;  // tokens in a tile

struct KvShape {
  ProductKind kind = ProductKind::kBf16;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t block_tokens = 32;  // a multiple of 32

  constexpr int64_t padded_dim() const { return round_up(head_dim, kChunk); }
  /// Bytes of K (or of V) of one head in one 32-token tile.
  constexpr int64_t head_tile_bytes() const { return kKvTile * padded_dim() * element_bytes(kind); }
  /// Bytes of one 32-token tile of one layer: K of all heads, then V of all heads.
  constexpr int64_t tile_bytes() const { return 2 * kv_heads * head_tile_bytes(); }
  /// Bytes of one layer inside a block.
  constexpr int64_t layer_bytes() const { return block_tokens / kKvTile * tile_bytes(); }
  /// Offset of K of `head` inside a layer's part of a block, for the tile with index `tile`.
  constexpr int64_t k_offset(int64_t tile, int64_t head) const {
    return tile * tile_bytes() + head * head_tile_bytes();
  }
  constexpr int64_t v_offset(int64_t tile, int64_t head) const {
    return k_offset(tile, head) + kv_heads * head_tile_bytes();
  }
};

}  // namespace strata::tensor
