// The last step of every linear kernel: from the sums of a panel to the output, on vectors V
// (simd/vec16.h).
#pragma once

#include <cstdint>

#include "kernels/linear_kernels.h"
#include "kernels/simd/vec16.h"

namespace strata::kernels {
namespace {

constexpr int64_t kWide = 16;  // outputs in a tile

/// Bias, residual and the store of one panel's sums; `cols` of its 32 outputs are real.
template <class V>
STRATA_KERNEL_INLINE void finish_panel(const float* sums, const LinearItem& item, int64_t first_col,
                                       int64_t cols) {
  for (int64_t row = 0; row < item.rows; row++) {
    for (int64_t t = 0; t * kWide < cols; t++) {
      const int64_t count = cols - t * kWide < kWide ? cols - t * kWide : kWide;
      const int64_t col = first_col + t * kWide;
      float* out = item.out + row * item.out_stride + col;
      typename V::F y = V::load(sums + row * 2 * kWide + t * kWide);
      if (item.bias != nullptr) y = V::add(y, V::load_partial(item.bias + col, count));
      if (item.accumulate) y = V::add(V::load_partial(out, count), y);
      V::store_partial(out, y, count);
    }
  }
}

}  // namespace
}  // namespace strata::kernels
