// Sixteen f32 lanes on the instruction set that this unit is compiled for: `Native` is Avx512 (one
// zmm), Avx2 (two ymm) or Scalar16 (an array). Kernels are templates over the backend, so that the
// blocking of one class is exercised on another. A unit sees exactly one backend and every function
// is forced inline: no wide code can leak to other units through the linker. All backends give the
// same bits; arithmetic assumes the mode of fp_mode.h (nearest even, FTZ, DAZ).
//
// Vocabulary of a backend V (F floats, I 32-bit integers, M lane mask):
//   zero broadcast load store load_partial store_partial (memory unaligned; partial: the first
//   `count` lanes, others +0) add sub mul div fma(a, b, c) = a * b + c  sqrt  max(a, b) = a > b ? a
//   : b  min(a, b) = a < b ? a : b  round (to even) pair_even pair_odd: of 64 bytes holding 16 bf16
//   pairs;  load_bf16 store_bf16 load_f16 store_f16: 16 contiguous first(count) lt le eq is_nan
//   and_mask or_mask not_mask select(m, a, b) = m ? a : b keep(m, a) = m ? a : +0 as_int as_float
//   to_int (nearest even) from_int set_int add_int sub_int and_int or_int shl<n> shr<n> reduce_tree
//   (8, 4, 2, 1) reduce_max
#pragma once

// And where rows are cut: load_int load_int_partial count_up(x) = x, x + 1, ...  count(m): its
// lanes
//   store_packed(p, v, m) store_packed_int: the lanes of m side by side; up to sixteen are written
// Sixteen doubles D: wide_zero wide_set wide(F) add_wide fma_wide narrow(d): to F
//   reduce_wide (8, 4, 2, 1)

#if defined(__AVX512F__)
#include "kernels/simd/avx512.h"
namespace strata::kernels::simd {
using Native = Avx512;
}
#elif defined(__AVX2__)
#include "kernels/simd/avx2.h"
namespace strata::kernels::simd {
using Native = Avx2;
}
#else
#include "kernels/simd/scalar16.h"
namespace strata::kernels::simd {
using Native = Scalar16;
}
#endif
