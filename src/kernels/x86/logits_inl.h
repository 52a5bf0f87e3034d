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
STRATA_KERNEL_INLINE void store_logits(float* out, typename V::F v, int64_t left) {
  if (left >= 16) return V::store(out, v);
  V::store_partial(out, v, left);
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

// Most requests divide by 1, which changes nothing and takes a sixth of the pass.
template <class V, bool kDivides>
void logits_weights_as(const LogitWeightsArgs& a) {
  const typename V::F max = V::broadcast(a.max), temperature = V::broadcast(a.temperature);
  for (int64_t begin = 0; begin < a.n; begin += kLogitBlock) {
    typename V::F sum = V::zero();
    for (int64_t i = begin; i < begin + kLogitBlock && i < a.n; i += 16) {
      typename V::F power = V::sub(logits_or<V>(a.x + i, a.n - i, -__builtin_inff()), max);
      if constexpr (kDivides) power = V::div(power, temperature);
      const typename V::F w = simd::exp_below_88_or_0<V>(power);
      if (a.powers != nullptr) store_logits<V>(a.powers + i, power, a.n - i);
      store_logits<V>(a.out + i, w, a.n - i);
      sum = V::add(sum, w);
    }
    a.sums[begin / kLogitBlock] = V::reduce_tree(sum);
  }
}

template <class V>
void logits_weights(const LogitWeightsArgs& a) {
  if (a.temperature == 1) return logits_weights_as<V, false>(a);
  logits_weights_as<V, true>(a);
}

template <class V>
float logits_sum_exp(const float* x, int64_t n, float max) {
  const typename V::F largest = V::broadcast(max);
  typename V::F sum = V::zero();
  for (int64_t i = 0; i < n; i += 16) {
    const typename V::F some = logits_or<V>(x + i, n - i, -__builtin_inff());
    sum = V::add(sum, simd::exp_below_88_or_0<V>(V::sub(some, largest)));
  }
  return V::reduce_tree(sum);
}

template <class V>
void logits_block_sums(const float* x, int64_t n, float* out) {
  for (int64_t begin = 0; begin < n; begin += kLogitBlock) {
    typename V::F sum = V::zero();
    for (int64_t i = begin; i < begin + kLogitBlock && i < n; i += 16)
      sum = V::add(sum, logits_or<V>(x + i, n - i, 0));
    out[begin / kLogitBlock] = V::reduce_tree(sum);
  }
}

template <class V>
double logits_sum_products(const float* weights, const float* powers, int64_t n) {
  typename V::D sum = V::wide_zero();
  for (int64_t i = 0; i < n; i += 16) {
    const typename V::F w = logits_or<V>(weights + i, n - i, 0);
    const typename V::F power = logits_or<V>(powers + i, n - i, 0);
    // 0 times the infinite power of -infinity would be NaN.
    const typename V::F counted = V::keep(V::lt(V::zero(), w), power);
    sum = V::fma_wide(V::wide(w), V::wide(counted), sum);
  }
  return V::reduce_wide(sum);
}

template <class V>
void logits_deviations(const float* weights, int64_t n, double mean, float* keys) {
  const typename V::D minus_mean = V::wide_set(-mean);
  const typename V::F none = V::broadcast(-__builtin_inff());
  const typename V::I sign = V::set_int(static_cast<int32_t>(0x80000000u));
  for (int64_t i = 0; i < n; i += 16) {
    const typename V::F w = logits_or<V>(weights + i, n - i, 0);
    const typename V::F power = logits_or<V>(keys + i, n - i, 0);
    const typename V::F far = V::narrow(V::add_wide(V::wide(power), minus_mean));
    const typename V::F key = V::as_float(V::or_int(V::as_int(far), sign));
    store_logits<V>(keys + i, V::select(V::lt(V::zero(), w), key, none), n - i);
  }
}

// Sixteen lanes of a split, packed at `at`.
template <class V>
STRATA_KERNEL_INLINE void logits_pack(const LogitSplitArgs& a, int64_t at, typename V::F key,
                                      typename V::F weight, typename V::I id, typename V::M in) {
  if (a.packed_keys != nullptr) V::store_packed(a.packed_keys + at, key, in);
  V::store_packed(a.packed_weights + at, weight, in);
  V::store_packed_int(a.packed_ids + at, id, in);
}

// The last lanes of a split, of which sixteen must not be written.
template <class V>
STRATA_KERNEL_INLINE void logits_pack_last(const LogitSplitArgs& a, int64_t at, typename V::F key,
                                           typename V::F weight, typename V::I id,
                                           typename V::M in) {
  float keys[16], weights[16];
  int32_t ids[16];
  V::store_packed(keys, key, in);
  V::store_packed(weights, weight, in);
  V::store_packed_int(ids, id, in);
  for (int64_t i = 0; i < V::count(in); i++) {
    if (a.packed_keys != nullptr) a.packed_keys[at + i] = keys[i];
    a.packed_weights[at + i] = weights[i];
    a.packed_ids[at + i] = ids[i];
  }
}

template <class V>
LogitSplit logits_split(const LogitSplitArgs& a) {
  const typename V::F low = V::broadcast(a.low), high = V::broadcast(a.high);
  const typename V::F infinity = V::broadcast(__builtin_inff());
  typename V::D above = V::wide_zero();
  typename V::F least = infinity;
  const bool sums_above = a.high < __builtin_inff();
  typename V::I counted = V::count_up(a.first_id);
  int64_t packed = 0;
  for (int64_t i = 0; i < a.n; i += 16) {
    const int64_t left = a.n - i;
    const typename V::F key = logits_or<V>(a.keys + i, left, __builtin_nanf(""));
    const typename V::F weight = logits_or<V>(a.weights + i, left, 0);
    if (sums_above) {
      const typename V::M over = V::lt(high, key);
      above = V::add_wide(above, V::wide(V::keep(over, weight)));
      least = V::min(V::select(over, weight, infinity), least);
    }
    typename V::I id = counted;
    if (a.ids != nullptr)
      id = left >= 16 ? V::load_int(a.ids + i) : V::load_int_partial(a.ids + i, left);
    counted = V::add_int(counted, V::set_int(16));
    const typename V::M in = V::and_mask(V::le(low, key), V::le(key, high));
    // Never ahead of what has been read: packed <= i.
    if (left >= 16) {
      logits_pack<V>(a, packed, key, weight, id, in);
    } else {
      logits_pack_last<V>(a, packed, key, weight, id, in);
    }
    packed += V::count(in);
  }
  return {packed, V::reduce_wide(above), -V::reduce_max(V::sub(V::zero(), least))};
}

// The block from `begin`, where lanes from index i on are held from least_at(i) up.
template <class V, class LeastAt>
STRATA_KERNEL_INLINE float logits_held_sum(const float* keys, const float* weights, int64_t n,
                                           int64_t begin, const LeastAt& least_at) {
  typename V::F sum = V::zero();
  for (int64_t i = begin; i < begin + kLogitBlock && i < n; i += 16) {
    const typename V::F key = logits_or<V>(keys + i, n - i, __builtin_nanf(""));
    const typename V::F weight = logits_or<V>(weights + i, n - i, 0);
    sum = V::add(sum, V::keep(V::le(least_at(i), key), weight));
  }
  return V::reduce_tree(sum);
}

template <class V>
void logits_held_sums(const float* keys, const float* weights, int64_t n, const LogitBorder& border,
                      float* out) {
  const typename V::F upto = V::broadcast(border.key), behind = V::broadcast(border.next);
  const int64_t both = border.place / kLogitBlock;  // the block with the border
  const auto sum_of = [&](int64_t block, const auto& least_at) {
    out[block] = logits_held_sum<V>(keys, weights, n, block * kLogitBlock, least_at);
  };
  for (int64_t block = 0; block < both; block++) sum_of(block, [&](int64_t) { return upto; });
  sum_of(both, [&](int64_t i) { return V::select(V::first(border.place + 1 - i), upto, behind); });
  for (int64_t block = both + 1; block * kLogitBlock < n; block++)
    sum_of(block, [&](int64_t) { return behind; });
}

template <class V>
constexpr LogitsKernels logits_kernels() {
  return {logits_block_max<V>,  logits_weights<V>, logits_block_sums<V>, logits_sum_products<V>,
          logits_deviations<V>, logits_split<V>,   logits_held_sums<V>,  logits_sum_exp<V>};
}

}  // namespace
}  // namespace strata::kernels
