// Rotation of heads by the table of math_tables.h.
#include "kernels/elementwise.h"
#include "kernels/items.h"
#include "kernels/ref/ref.h"

namespace strata::kernels {
namespace {

void rotate_head(float* x, const float* cos, const float* sin, int64_t half) {
  for (int64_t i = 0; i < half; i++) {
    const float a = x[i], b = x[i + half];
    x[i] = (a * cos[i]) - (b * sin[i]);
    x[i + half] = (b * cos[i]) + (a * sin[i]);
  }
}

void rope_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const RopeArgs*>(opaque);
  const int64_t half = a.rotary_dim / 2;
  for (int64_t row = begin; row < end; row++) {
    const int64_t at = a.positions[row] * half;
    for (int64_t head = 0; head < a.heads; head++) {
      rotate_head(a.x + row * a.x_stride + head * a.head_dim, a.cos + at, a.sin + at, half);
    }
  }
}

}  // namespace

void ref_rope(const device::ExecContext& context, const RopeArgs& args) {
  run_rows(context, args.rows, kHeadsGrain, rope_rows, &args);
}

}  // namespace strata::kernels
