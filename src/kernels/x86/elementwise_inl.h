// The row-wise ops for a vector backend V (simd/vec16.h), operation for operation those of
// ref/{norm,rope,elementwise}.cc. Bound: the bytes of a row, which lies in L1 or L2; silu by its
// sixteen operations of exp per vector.
#pragma once

#include "kernels/elementwise_kernels.h"
#include "kernels/ops.h"
#include "kernels/simd/vec_math.h"
#include "kernels/x86/operand_inl.h"

namespace strata::kernels {
namespace {

constexpr int64_t kLanes = 16;

STRATA_KERNEL_INLINE constexpr int64_t pad32(int64_t columns) { return (columns + 31) / 32 * 32; }

template <class V>
STRATA_KERNEL_INLINE typename V::F inverse_rms(const float* x, int64_t n, float eps) {
  typename V::F squares = V::zero();
  for (int64_t j = 0; j < n; j += kLanes) {
    const typename V::F value = load_first<V>(x + j, n - j);
    squares = V::fma(value, value, squares);
  }
  const float mean = V::reduce_tree(squares) / static_cast<float>(n);
  return V::broadcast(1.0f / __builtin_sqrtf(mean + eps));
}

template <class V>
STRATA_KERNEL_INLINE typename V::F normed(const float* x, const float* weight, typename V::F r,
                                          int64_t count) {
  return V::mul(V::mul(load_first<V>(x, count), r), load_first<V>(weight, count));
}

/// value where a column exists, +0 in the padding.
template <class V>
STRATA_KERNEL_INLINE typename V::F padded(typename V::F value, int64_t count) {
  return count >= kLanes ? value : V::select(V::first(count), value, V::zero());
}

template <class V, class Operand>
void rms_norm_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const RmsNormArgs*>(opaque);
  for (int64_t row = begin; row < end; row++) {
    const float* x = a.x + row * a.x_stride;
    Operand* out = static_cast<Operand*>(a.out) + row * a.out_stride;
    const typename V::F r = inverse_rms<V>(x, a.cols, a.eps);
    for (int64_t j = 0; j < pad32(a.cols); j += kLanes) {
      const int64_t left = a.cols - j;
      store_operand<V>(out + j, padded<V>(normed<V>(x + j, a.weight + j, r, left), left), kLanes);
    }
  }
}

template <class V>
void head_norm_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const HeadNormArgs*>(opaque);
  for (int64_t row = begin; row < end; row++) {
    for (int64_t head = 0; head < a.heads; head++) {
      float* x = a.x + row * a.x_stride + head * a.head_dim;
      const typename V::F r = inverse_rms<V>(x, a.head_dim, a.eps);
      for (int64_t j = 0; j < a.head_dim; j += kLanes) {
        const int64_t left = a.head_dim - j;
        store_operand<V>(x + j, normed<V>(x + j, a.weight + j, r, left), left);
      }
    }
  }
}

template <class V>
STRATA_KERNEL_INLINE void rotate_head(float* x, const float* cos, const float* sin, int64_t half) {
  using F = typename V::F;
  for (int64_t i = 0; i < half; i += kLanes) {
    const int64_t left = half - i;
    const F a = load_first<V>(x + i, left), b = load_first<V>(x + i + half, left);
    const F c = load_first<V>(cos + i, left), s = load_first<V>(sin + i, left);
    store_operand<V>(x + i, V::sub(V::mul(a, c), V::mul(b, s)), left);
    store_operand<V>(x + i + half, V::add(V::mul(b, c), V::mul(a, s)), left);
  }
}

template <class V>
void rope_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const RopeArgs*>(opaque);
  const int64_t half = a.rotary_dim / 2;
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = a.positions[row] * half;
    for (int64_t head = 0; head < a.heads; head++) {
      rotate_head<V>(a.x + row * a.x_stride + head * a.head_dim, a.cos + at, a.sin + at, half);
    }
  }
}

template <class V, class Operand>
void query_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const QueryOperandArgs*>(opaque);
  const int64_t width = pad32(a.head_dim);
  for (int64_t row = begin; row < end; row++) {
    for (int64_t head = 0; head < a.heads; head++) {
      const float* x = a.x + row * a.x_stride + head * a.head_dim;
      Operand* out = static_cast<Operand*>(a.out) + (row * a.heads + head) * width;
      for (int64_t j = 0; j < width; j += kLanes)
        store_operand<V>(out + j, load_first<V>(x + j, a.head_dim - j), kLanes);
    }
  }
}

template <class V>
STRATA_KERNEL_INLINE typename V::F silu(typename V::F x) {
  return V::div(x, V::add(V::broadcast(1.0f), simd::exp<V>(V::sub(V::zero(), x))));
}

template <class V, class Operand>
void silu_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const SiluMulArgs*>(opaque);
  for (int64_t row = begin; row < end; row++) {
    const float *gate = a.gate + row * a.stride, *up = a.up + row * a.stride;
    Operand* out = static_cast<Operand*>(a.out) + row * a.out_stride;
    for (int64_t j = 0; j < pad32(a.cols); j += kLanes) {
      const int64_t left = a.cols - j;
      store_operand<V>(out + j,
                       V::mul(silu<V>(load_first<V>(gate + j, left)), load_first<V>(up + j, left)),
                       kLanes);
    }
  }
}

template <class V>
STRATA_KERNEL_INLINE float row_max(const float* x, int64_t n) {
  typename V::F max = V::broadcast(x[0]);
  for (int64_t j = 0; j < n; j += kLanes) {
    max = V::max(V::select(V::first(n - j), load_first<V>(x + j, n - j), max), max);
  }
  return V::reduce_max(max);
}

template <class V>
void log_softmax_rows(const void* opaque, int64_t begin, int64_t end) {
  using F = typename V::F;
  const auto& a = *static_cast<const LogSoftmaxArgs*>(opaque);
  for (int64_t row = begin; row < end; row++) {
    const float* x = a.x + row * a.cols;
    float* out = a.out + row * a.cols;
    const F max = V::broadcast(row_max<V>(x, a.cols));
    F sum = V::zero();
    for (int64_t j = 0; j < a.cols; j += kLanes) {
      const F e = simd::exp_below_88<V>(V::sub(load_first<V>(x + j, a.cols - j), max));
      sum = V::add(sum, padded<V>(e, a.cols - j));
    }
    const F log_sum = V::broadcast(log_f32(V::reduce_tree(sum)));
    for (int64_t j = 0; j < a.cols; j += kLanes) {
      const int64_t left = a.cols - j;
      store_operand<V>(out + j, V::sub(V::sub(load_first<V>(x + j, left), max), log_sum), left);
    }
  }
}

template <class V>
constexpr ElementwiseKernels elementwise_kernels() {
  return {{rms_norm_rows<V, uint16_t>, rms_norm_rows<V, float>, rms_norm_rows<V, float>},
          {silu_rows<V, uint16_t>, silu_rows<V, float>, silu_rows<V, float>},
          {query_rows<V, uint16_t>, query_rows<V, float>, query_rows<V, float>},
          head_norm_rows<V>,
          rope_rows<V>,
          log_softmax_rows<V>};
}

}  // namespace
}  // namespace strata::kernels
