// What surrounds the two products of attention, for a vector backend V: softmax of a block's
// scores, merging of splits, the division at the end. Shared by the FMA and the AMX tile functions.
#pragma once

#include <cfloat>

#include "kernels/attention_kernels.h"
#include "kernels/simd/vec16.h"
#include "kernels/simd/vec_math.h"
#include "kernels/x86/operand_inl.h"

namespace strata::kernels {
namespace {

constexpr int64_t kDepth = 32;  // of a chunk: head columns for q.k, keys for P.v
constexpr int64_t kCols = 16;   // of a tile

/// Where the 16 lanes from `key` on may be seen by a row that sees keys [begin, end).
template <class V>
STRATA_KERNEL_INLINE typename V::M visible(int64_t key, int32_t begin, int32_t end) {
  return V::and_mask(V::first(end - key), V::not_mask(V::first(begin - key)));
}

/// Scales the scores of one row, masks them with -infinity and returns the maximum of the visible
/// ones.
template <class V>
STRATA_KERNEL_INLINE float scale_and_mask(const AttentionSplit& s, float* scores, int64_t row) {
  using F = typename V::F;
  const F scale = V::broadcast(s.scale), hidden = V::broadcast(-__builtin_inff());
  const int32_t begin = s.begin[row], end = s.end[row];
  F max = V::broadcast(-FLT_MAX);
  for (int64_t tile = 0; tile < s.tiles; tile++) {
    float* at = scores + (tile * s.rows + row) * kDepth;
    F low = V::mul(V::load(at), scale), high = V::mul(V::load(at + kCols), scale);
    const int64_t key = tile * kDepth;
    if (begin > key || end < key + kDepth) {
      low = V::select(visible<V>(key, begin, end), low, hidden);
      high = V::select(visible<V>(key + kCols, begin, end), high, hidden);
    }
    V::store(at, low);
    V::store(at + kCols, high);
    max = V::max(max, V::max(low, high));
  }
  return V::reduce_max(max);
}

/// P of one row in place of its scores (masked: exp(-infinity) = +0); returns their sum by the
/// fixed tree.
template <class V, bool kRound>
STRATA_KERNEL_INLINE float exponentials(const AttentionSplit& s, float* scores, int64_t row,
                                        float max) {
  using F = typename V::F;
  const F m = V::broadcast(max);
  F sum = V::zero();
  for (int64_t tile = 0; tile < s.tiles; tile++) {
    float* p = scores + (tile * s.rows + row) * kDepth;
    F low = simd::exp_below_88<V>(V::sub(V::load(p), m));
    F high = simd::exp_below_88<V>(V::sub(V::load(p + kCols), m));
    if constexpr (kRound) {
      low = simd::round_to_bf16<V>(low);
      high = simd::round_to_bf16<V>(high);
    }
    V::store(p, low);
    V::store(p + kCols, high);
    sum = V::add(V::add(sum, low), high);
  }
  return V::reduce_tree(sum);
}

/// Softmax of the rows of one head: scores to P, and each row's m and l.
template <class V, bool kRound>
STRATA_KERNEL_INLINE void softmax_rows(const AttentionSplit& s, int64_t head) {
  float* scores = s.scores + head * kSplitTiles * s.rows * kDepth;
  float *m = s.m + head * s.result_stride, *l = s.l + head * s.result_stride;
  for (int64_t row = 0; row < s.rows; row++) {
    m[row] = scale_and_mask<V>(s, scores, row);
    l[row] = exponentials<V, kRound>(s, scores, row, m[row]);
  }
}

template <class V>
void merge_block(const AttentionMerge& a) {
  using F = typename V::F;
  const F m_old = V::load(a.m), m_split = V::load(a.split_m), m = V::max(m_split, m_old);
  const F from_old = simd::exp_below_88<V>(V::sub(m_old, m)),
          from_split = simd::exp_below_88<V>(V::sub(m_split, m));
  V::store(a.l, V::fma(V::load(a.l), from_old, V::mul(V::load(a.split_l), from_split)));
  V::store(a.m, m);
  alignas(64) float old_factor[kCols], split_factor[kCols];
  V::store(old_factor, from_old);
  V::store(split_factor, from_split);
  for (int64_t column = 0; column < a.column_tiles; column++) {
    for (int64_t row = 0; row < a.rows; row++) {
      const int64_t at = (column * a.rows + row) * kCols;
      const F add = V::mul(V::load(a.split_o + at), V::broadcast(split_factor[row]));
      V::store(a.o + at, V::fma(V::load(a.o + at), V::broadcast(old_factor[row]), add));
    }
  }
}

template <class V, class Operand>
void finish_block(const AttentionFinish& a) {
  for (int64_t row = 0; row < a.rows; row++) {
    auto* out = static_cast<Operand*>(a.out[row]);
    const typename V::F l = V::broadcast(a.l[row]);
    for (int64_t column = 0; column < a.head_dim; column += kCols) {
      const float* o = a.o + column * a.rows + row * kCols;
      store_operand<V>(out + column, V::add(V::div(V::load(o), l), V::zero()), a.head_dim - column);
    }
  }
}

template <class V>
void prepare_bf16(const AttentionPrepare& a) {
  float* out = a.out;
  for (int64_t row = 0; row < a.rows; row++) {
    const auto* q = static_cast<const uint16_t*>(a.q[row]);
    for (int64_t at = 0; at < a.chunks * kDepth; at += kCols) {
      V::store(out + (at / kDepth * a.rows + row) * kDepth + at % kDepth, V::load_bf16(q + at));
    }
  }
}

template <class V>
void prepare_f32(const AttentionPrepare& a) {
  float* out = a.out;
  for (int64_t row = 0; row < a.rows; row++) {
    const auto* q = static_cast<const float*>(a.q[row]);
    for (int64_t at = 0; at < a.chunks * kDepth; at += kCols) {
      V::store(out + (at / kDepth * a.rows + row) * kDepth + at % kDepth, V::load(q + at));
    }
  }
}

}  // namespace
}  // namespace strata::kernels
