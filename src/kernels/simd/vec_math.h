// exp of sixteen lanes, operation for operation that of ref/math.h. V is a backend of vec16.h.
#pragma once

#include "kernels/ref/math.h"
#include "kernels/simd/inline.h"

namespace strata::kernels::simd {

/// e^x for lanes from ExpConstants::kLowest to 88, anything for others.
template <class V>
STRATA_KERNEL_INLINE typename V::F exp_within(typename V::F x) {
  using C = ExpConstants;
  using F = typename V::F;
  // The sum's low mantissa bits are the rounded integer in two's complement: shifted up they are
  // the exponent to add, and the bits of the constant itself fall out at the top.
  const F magic = V::broadcast(0x1.8p+23f);
  const F sum = V::add(V::mul(x, V::broadcast(C::kLog2E)), magic);
  const F n = V::sub(sum, magic);
  F r = V::fma(n, V::broadcast(-C::kLn2Hi), x);
  r = V::fma(n, V::broadcast(-C::kLn2Lo), r);
  F p = V::broadcast(C::kPoly[0]);
#pragma GCC unroll 8
  for (int i = 1; i < 7; i++) p = V::fma(p, r, V::broadcast(C::kPoly[i]));
  return V::as_float(V::add_int(V::as_int(p), V::template shl<23>(V::as_int(sum))));
}

/// e^x for lanes that are at most 88 or NaN.
template <class V>
STRATA_KERNEL_INLINE typename V::F exp_below_88(typename V::F x) {
  // The maximum is +0, or x where that is NaN: a NaN's low bits would be taken for an exponent.
  return V::select(V::le(V::broadcast(ExpConstants::kLowest), x), exp_within<V>(x),
                   V::max(V::zero(), x));
}

/// The same, and +0 for NaN.
template <class V>
STRATA_KERNEL_INLINE typename V::F exp_below_88_or_0(typename V::F x) {
  return V::keep(V::le(V::broadcast(ExpConstants::kLowest), x), exp_within<V>(x));
}

/// e^x for any lanes.
template <class V>
STRATA_KERNEL_INLINE typename V::F exp(typename V::F x) {
  const typename V::F infinity = V::broadcast(__builtin_inff());
  return V::select(V::lt(V::broadcast(ExpConstants::kHighest), x), infinity, exp_below_88<V>(x));
}

/// Lanes in [0, infinity) without denormals, or NaN, rounded to bf16 (nearest even) and widened
/// again.
template <class V>
STRATA_KERNEL_INLINE typename V::F round_to_bf16(typename V::F x) {
  const typename V::I bits = V::as_int(x);
  const typename V::I odd = V::and_int(V::template shr<16>(bits), V::set_int(1));
  const typename V::I rounded = V::add_int(bits, V::add_int(odd, V::set_int(0x7fff)));
  return V::as_float(V::and_int(rounded, V::set_int(static_cast<int32_t>(0xffff0000u))));
}

}  // namespace strata::kernels::simd
