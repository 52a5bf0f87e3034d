// The 16-lane vector as an array: the portable backend that lets tests run vector kernels on any
// CPU. See vec16.h for the vocabulary. Slow; no table slot uses it.
#pragma once

#include <cstdint>

#include "kernels/simd/inline.h"
#include "tensor/float_bits.h"

namespace strata::kernels::simd {

struct Scalar16 {
  struct F {
    float v[16];
  };
  struct I {
    int32_t v[16];
  };
  struct M {
    bool v[16];
  };
  struct D {
    double v[16];
  };

  static F zero() { return broadcast(0.0f); }
  static F broadcast(float x) {
    return make<F>([&](int) { return x; });
  }
  static F load(const float* p) {
    return make<F>([&](int i) { return p[i]; });
  }
  static void store(float* p, F a) {
    for (int i = 0; i < 16; i++) p[i] = a.v[i];
  }
  static F load_partial(const float* p, int64_t count) {
    return make<F>([&](int i) { return i < count ? p[i] : 0.0f; });
  }
  static void store_partial(float* p, F a, int64_t count) {
    for (int i = 0; i < 16 && i < count; i++) p[i] = a.v[i];
  }

  static F add(F a, F b) {
    return make<F>([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F sub(F a, F b) {
    return make<F>([&](int i) { return a.v[i] - b.v[i]; });
  }
  static F mul(F a, F b) {
    return make<F>([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F div(F a, F b) {
    return make<F>([&](int i) { return a.v[i] / b.v[i]; });
  }
  static F fma(F a, F b, F c) {
    return make<F>([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
  }
  static F sqrt(F a) {
    return make<F>([&](int i) { return __builtin_sqrtf(a.v[i]); });
  }
  static F max(F a, F b) {
    return make<F>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F min(F a, F b) {
    return make<F>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F round(F a) {
    return make<F>([&](int i) { return __builtin_rintf(a.v[i]); });
  }

  static F pair_even(const void* row) {
    const auto* p = static_cast<const uint16_t*>(row);
    return make<F>([&](int i) { return tensor::to_float(tensor::Bf16{p[2 * i]}); });
  }
  static F pair_odd(const void* row) {
    const auto* p = static_cast<const uint16_t*>(row);
    return make<F>([&](int i) { return tensor::to_float(tensor::Bf16{p[2 * i + 1]}); });
  }
  static F load_bf16(const uint16_t* p) {
    return make<F>([&](int i) { return tensor::to_float(tensor::Bf16{p[i]}); });
  }
  static void store_bf16(uint16_t* p, F a) {
    for (int i = 0; i < 16; i++) p[i] = tensor::to_bf16(a.v[i]).bits;
  }
  static F load_f16(const uint16_t* p) {
    return make<F>([&](int i) { return tensor::to_float(tensor::F16{p[i]}); });
  }
  static void store_f16(uint16_t* p, F a) {
    for (int i = 0; i < 16; i++) p[i] = tensor::to_f16(a.v[i]).bits;
  }

  static M first(int64_t count) {
    return make<M>([&](int i) { return i < count; });
  }
  static M lt(F a, F b) {
    return make<M>([&](int i) { return a.v[i] < b.v[i]; });
  }
  static M le(F a, F b) {
    return make<M>([&](int i) { return a.v[i] <= b.v[i]; });
  }
  static M eq(F a, F b) {
    return make<M>([&](int i) { return a.v[i] == b.v[i]; });
  }
  static M is_nan(F a) {
    return make<M>([&](int i) { return a.v[i] != a.v[i]; });
  }
  static M and_mask(M a, M b) {
    return make<M>([&](int i) { return a.v[i] && b.v[i]; });
  }
  static M or_mask(M a, M b) {
    return make<M>([&](int i) { return a.v[i] || b.v[i]; });
  }
  static M not_mask(M a) {
    return make<M>([&](int i) { return !a.v[i]; });
  }
  static F select(M m, F a, F b) {
    return make<F>([&](int i) { return m.v[i] ? a.v[i] : b.v[i]; });
  }
  static F keep(M m, F a) { return select(m, a, zero()); }

  static I as_int(F a) { return std::bit_cast<I>(a); }
  static F as_float(I a) { return std::bit_cast<F>(a); }
  static I to_int(F a) {
    return make<I>([&](int i) { return static_cast<int32_t>(__builtin_rintf(a.v[i])); });
  }
  static F from_int(I a) {
    return make<F>([&](int i) { return static_cast<float>(a.v[i]); });
  }
  static I set_int(int32_t x) {
    return make<I>([&](int) { return x; });
  }
  static I add_int(I a, I b) {
    return make<I>([&](int i) { return wrap(bits(a.v[i]) + bits(b.v[i])); });
  }
  static I sub_int(I a, I b) {
    return make<I>([&](int i) { return wrap(bits(a.v[i]) - bits(b.v[i])); });
  }
  static I and_int(I a, I b) {
    return make<I>([&](int i) { return a.v[i] & b.v[i]; });
  }
  static I or_int(I a, I b) {
    return make<I>([&](int i) { return a.v[i] | b.v[i]; });
  }
  template <int kBits>
  static I shl(I a) {
    return make<I>([&](int i) { return wrap(bits(a.v[i]) << kBits); });
  }
  template <int kBits>
  static I shr(I a) {
    return make<I>([&](int i) { return wrap(bits(a.v[i]) >> kBits); });
  }

  static float reduce_tree(F a) {
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) a.v[i] = a.v[i] + a.v[i + half];
    }
    return a.v[0];
  }
  static float reduce_max(F a) {
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
    }
    return a.v[0];
  }

  static I load_int(const int32_t* p) {
    return make<I>([&](int i) { return p[i]; });
  }
  static I load_int_partial(const int32_t* p, int64_t count) {
    return make<I>([&](int i) { return i < count ? p[i] : 0; });
  }
  static I count_up(int32_t x) {
    return make<I>([&](int i) { return x + i; });
  }
  static int count(M m) {
    int lanes = 0;
    for (const bool lane : m.v) lanes += lane ? 1 : 0;
    return lanes;
  }
  static void store_packed(float* p, F a, M m) {
    for (int i = 0; i < 16; i++) {
      if (m.v[i]) *p++ = a.v[i];
    }
  }
  static void store_packed_int(int32_t* p, I a, M m) {
    for (int i = 0; i < 16; i++) {
      if (m.v[i]) *p++ = a.v[i];
    }
  }

  static D wide_zero() { return wide_set(0); }
  static D wide_set(double x) {
    return make<D>([&](int) { return x; });
  }
  static D wide(F a) {
    return make<D>([&](int i) { return static_cast<double>(a.v[i]); });
  }
  static D add_wide(D a, D b) {
    return make<D>([&](int i) { return a.v[i] + b.v[i]; });
  }
  static D fma_wide(D a, D b, D c) {
    return make<D>([&](int i) { return __builtin_fma(a.v[i], b.v[i], c.v[i]); });
  }
  static F narrow(D a) {
    return make<F>([&](int i) { return static_cast<float>(a.v[i]); });
  }
  static double reduce_wide(D a) {
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; i++) a.v[i] = a.v[i] + a.v[i + half];
    }
    return a.v[0];
  }

 private:
  template <class R, class Fn>
  static R make(Fn fn) {
    R r;
    for (int i = 0; i < 16; i++) r.v[i] = fn(i);
    return r;
  }
  static uint32_t bits(int32_t x) { return static_cast<uint32_t>(x); }
  static int32_t wrap(uint32_t x) { return static_cast<int32_t>(x); }
};

}  // namespace strata::kernels::simd
