// Arguments and contracts of every op. What each computes, bit for bit, is in
// docs/design/numerics.md; this header says shapes, layouts and who owns what. Nothing here
// allocates; all pointers are views on the context's device.
//
// An *operand* is a row-major activation that enters a product: bf16 for bf16 products, f32 for f16
// and f32 products. Its rows are padded with +0 to a multiple of 32 columns; strides count
// elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/kv_format.h"
#include "tensor/packed.h"

namespace strata::kernels {

/// One matrix of a linear op: out[m][n] = x[m] . w[n] (+ bias[n]), stored or added to out.
struct LinearPart {
  tensor::PackedMatrix w;
  const float* bias = nullptr;  // [n] or null
  float* out = nullptr;         // f32 [m][out_stride]; columns n.. of a row are left alone
  int64_t out_stride = 0;
  bool accumulate = false;  // out += result (the residual add): out = out + (acc + bias)
};

/// Several matrices of one kind and depth over the same rows (q, k and v; gate and up) share one
/// hand-off to the pool.
struct LinearArgs {
  const void* x = nullptr;  // operand [m][x_stride], x_stride >= round_up(k, 32)
  int64_t x_stride = 0;
  int64_t m = 0;
  std::span<const LinearPart> parts;
};

/// One sequence's rows in a batch and where its keys and values live.
struct SequenceView {
  int64_t first_row = 0;  // of the batch's row-major buffers
  int64_t rows = 0;
  int64_t first_position = 0;  // absolute position of the first row
  const int64_t* blocks =
      nullptr;  // byte offsets of its blocks from kv_base, by position / block_tokens; -1 = dropped
};

/// The part of the KV pool that one layer reads and writes.
struct KvLayer {
  tensor::KvShape shape;
  std::byte* base = nullptr;  // of the pool
  int64_t layer_offset = 0;   // of this layer inside a block
};

/// Rounds k and v to the cache's format and writes them at their positions. The first token of a
/// 32-token tile fills the rest of the tile with +0, so unused positions hold zeros.
struct KvWriteArgs {
  KvLayer kv;
  const float* k = nullptr;  // f32 [rows][k_stride], kv_heads * head_dim columns
  int64_t k_stride = 0;
  const float* v = nullptr;  // f32 [rows][v_stride]
  int64_t v_stride = 0;
  std::span<const SequenceView> sequences;
};

/// Causal attention of every row over the keys at positions 0..its own (or the last `window` of
/// them).
struct AttentionArgs {
  KvLayer kv;
  int64_t q_heads = 0;      // a multiple of kv_heads
  const void* q = nullptr;  // operand [rows][q_heads][padded head_dim]
  void* out = nullptr;  // operand [rows][out_stride], q_heads * head_dim columns; the padding is
                        // written with +0
  int64_t out_stride = 0;
  float scale = 1;
  int64_t window = 0;  // 0: all keys; else positions > row position - window
  std::span<const SequenceView> sequences;
};

/// out[r] = operand(x[r] * (1 / sqrt(mean(x[r]^2) + eps)) * weight).
struct RmsNormArgs {
  const float* x = nullptr;  // f32 [rows][x_stride]
  int64_t x_stride = 0;
  const float* weight = nullptr;  // f32 [cols]
  float eps = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  void* out = nullptr;  // operand [rows][out_stride], padding written with +0
  int64_t out_stride = 0;
};

/// RMSNorm of each head in place, f32 (the q and k norms of Qwen3).
struct HeadNormArgs {
  float* x = nullptr;  // f32 [rows][x_stride], heads * head_dim columns
  int64_t x_stride = 0;
  const float* weight = nullptr;  // f32 [head_dim]
  float eps = 0;
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
};

/// Rotates the first `rotary_dim` columns of each head in place, halves paired (i, i + rotary_dim /
/// 2), f32.
struct RopeArgs {
  float* x = nullptr;  // f32 [rows][x_stride]
  int64_t x_stride = 0;
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  int64_t rotary_dim = 0;
  const float* cos = nullptr;  // f32 [max position][rotary_dim / 2]
  const float* sin = nullptr;
  const int32_t* positions = nullptr;  // [rows]
};

/// Rounds f32 heads to the q operand [rows][heads][padded head_dim], padding +0.
struct QueryOperandArgs {
  const float* x = nullptr;  // f32 [rows][x_stride]
  int64_t x_stride = 0;
  int64_t rows = 0;
  int64_t heads = 0;
  int64_t head_dim = 0;
  void* out = nullptr;  // dense
};

/// out = operand(silu(gate) * up).
struct SiluMulArgs {
  const float* gate = nullptr;  // f32 [rows][stride]
  const float* up = nullptr;
  int64_t stride = 0;
  int64_t rows = 0;
  int64_t cols = 0;
  void* out = nullptr;  // operand [rows][out_stride], padding written with +0
  int64_t out_stride = 0;
};

/// Rows of a packed embedding table, widened to f32: out[r] = table[ids[r]]. The table may be the
/// LM head's memory (tied).
struct EmbedArgs {
  tensor::PackedMatrix table;  // [vocab][hidden]
  const int32_t* ids = nullptr;
  int64_t rows = 0;
  float* out = nullptr;  // f32 [rows][out_stride]
  int64_t out_stride = 0;
};

/// out = x - max(x) - log(sum(exp(x - max(x)))) for each row.
struct LogSoftmaxArgs {
  const float* x = nullptr;  // f32 [rows][cols]
  int64_t rows = 0;
  int64_t cols = 0;
  float* out = nullptr;  // f32 [rows][cols]; may be x
};

}  // namespace strata::kernels
