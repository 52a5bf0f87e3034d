// The seam between the attention driver (attention.cc: work items, splits, threads) and the tile
// functions of one instruction set (x86/attention_*.cc). Plain structs and pointers: units of any
// instruction set may include it.
//
// A *row* is one query head of one token; the heads of a group share their keys, so rows = tokens x
// heads of the group. A block of rows is held interleaved: operands [chunk][rows][32], scores [key
// tile][rows][32], outputs [column tile][rows][16].
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::kernels {

inline constexpr int64_t kSplitKeys = 256;  // of the numerics
inline constexpr int64_t kSplitTiles = kSplitKeys / 32;
inline constexpr int64_t kMaxBlockRows = 16;  // bound of every AttentionKernels::max_rows

/// Brings q of a block's rows into the form of the products.
struct AttentionPrepare {
  int64_t rows;
  int64_t chunks;                // padded head size / 32
  const void* q[kMaxBlockRows];  // operand rows
  float* out;                    // [chunks][rows][32]
};

/// A block of rows against the keys of one split, for neighbouring key heads at once: their tiles
/// lie side by side in the cache, and memory gives its full rate only to long runs.
struct AttentionSplit {
  int64_t heads;       // key heads
  int64_t head_bytes;  // of K (or V) of one head in a tile
  int64_t rows;        // of each head
  int64_t chunks;
  int64_t column_tiles;          // of 16, of the head size rounded up
  const float* q;                // prepared, of the first head
  int64_t q_stride;              // floats from the q of one head to that of the next
  int64_t tiles;                 // consecutive key tiles that some row sees, 1..8
  int64_t last_keys;             // keys of the last tile that some row sees, 1..32
  const std::byte* const* k;     // [tiles], of the first head
  const std::byte* const* v;     // [tiles]
  const std::byte* next;         // the tile that is read after this split: fetched ahead
  int32_t begin[kMaxBlockRows];  // first key that the row sees, counted from the first listed tile
  int32_t end[kMaxBlockRows];    // one past the last; begin >= end: the row sees none
  float scale;
  float* scores;          // scratch [heads][8][rows][32]
  int64_t result_stride;  // floats from the results of one head to those of the next
  float* o;               // out: [column tile][rows][16]
  float* m;               // out: [16], of a row that sees nothing the lowest float
  float* l;               // out: [16], of a row that sees nothing +0
};

/// Running result of a block of rows, and one split's result to merge into it.
struct AttentionMerge {
  int64_t rows;
  int64_t column_tiles;
  float *o, *m, *l;
  const float *split_o, *split_m, *split_l;
};

/// Division by l and storing of the operand.
struct AttentionFinish {
  int64_t rows;
  int64_t head_dim;
  const float *o, *l;
  void* out[kMaxBlockRows];  // of each row, head_dim operands
};

/// What one instruction set offers for one product kind.
struct AttentionKernels {
  int64_t max_rows;  // of a block
  void (*prepare)(const AttentionPrepare&);
  void (*split)(const AttentionSplit&);
  void (*merge)(const AttentionMerge&);
  void (*finish)(const AttentionFinish&);
};

}  // namespace strata::kernels
