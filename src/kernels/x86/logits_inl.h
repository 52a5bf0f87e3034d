// Passes over a row of logits, sixteen at a time, over any backend of vec16.h. Bound by bytes
// (block_max) and by the operations of exp (the others): bench/sampling_bench.
#pragma once

#include "kernels/logits_kernels.h"
#include "kernels/ref/math.h"
#include "kernels/simd/vec16.h"
#include "kernels/simd/vec_math.h"

namespace strata::kernels {
namespace {

// Sixteen logits from x; what lies beyond `left` counts as `beyond`.
template <class V>
STRATA_KERNEL_INLINE typename V::F logits_or(const float* x, int64_t left, float beyond) {
  if (left >= 16) return V::load(x);
  return V::select(V::first(left), V::load_partial(x, left), V::broadcast(beyond));
}

template <class V>
void logits_block_max(const float* x, int64_t n, float* out) {
  const float lowest = -__builtin_inff();
  for (int64_t begin = 0; begin < n; begin += kLogitBlock) {
    typename V::F max = V::broadcast(lowest);
    for (int64_t i = begin; i < begin + kLogitBlock && i < n; i += 16) {
      // In this order NaN loses.
      max = V::max(logits_or<V>(x + i, n - i, lowest), max);
    }
    out[begin / kLogitBlock] = V::reduce_max(max) + 0.0f;
  }
}

// e^x for differences to the largest logit: never above 0 but for NaN, which weighs nothing.
template <class V>
STRATA_KERNEL_INLINE typename V::F logit_weight(typename V::F difference) {
  return V::select(V::is_nan(difference), V::zero(), simd::exp_below_88<V>(difference));
}

template <class V>
void logits_weights(const LogitWeightsArgs& a) {
  const typename V::F max = V::broadcast(a.max), temperature = V::broadcast(a.temperature);
  for (int64_t begin = 0; begin < a.n; begin += kLogitBlock) {
    typename V::F sum = V::zero();
    for (int64_t i = begin; i < begin + kLogitBlock && i < a.n; i += 16) {
      const typename V::F x = logits_or<V>(a.x + i, a.n - i, -__builtin_inff());
      const typename V::F w = logit_weight<V>(V::div(V::sub(x, max), temperature));
      if (a.n - i >= 16) {
        V::store(a.out + i, w);
      } else {
        V::store_partial(a.out + i, w, a.n - i);
      }
      sum = V::add(sum, w);
    }
    a.sums[begin / kLogitBlock] = V::reduce_tree(sum);
  }
}

template <class V>
float logits_sum_exp(const float* x, int64_t n, float max) {
  const typename V::F largest = V::broadcast(max);
  typename V::F sum = V::zero();
  for (int64_t i = 0; i < n; i += 16) {
    const typename V::F some = logits_or<V>(x + i, n - i, -__builtin_inff());
    sum = V::add(sum, logit_weight<V>(V::sub(some, largest)));
  }
  return V::reduce_tree(sum);
}

template <class V>
constexpr LogitsKernels logits_kernels() {
  return {logits_block_max<V>, logits_weights<V>, logits_sum_exp<V>};
}

}  // namespace
}  // namespace strata::kernels
