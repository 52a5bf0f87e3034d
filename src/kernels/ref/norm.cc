// RMSNorm of rows and of heads, as docs/design/numerics.md says it.
#include <cmath>

#include "kernels/elementwise.h"
#include "kernels/items.h"
#include "kernels/ref/math.h"
#include "kernels/ref/operand.h"
#include "kernels/ref/ref.h"

namespace strata::kernels {
namespace {

using tensor::ProductKind;

float inverse_rms(const float* x, int64_t n, float eps) {
  float p[16] = {};
  for (int64_t j = 0; j < tensor::round_up(n, 16); j++) {
    const float value = j < n ? x[j] : 0.0f;
    p[j % 16] = __builtin_fmaf(value, value, p[j % 16]);
  }
  const float mean = fold_tree(p) / static_cast<float>(n);
  return 1.0f / std::sqrt(mean + eps);
}

template <ProductKind kKind>
void norm_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const RmsNormArgs*>(opaque);
  using Operand = typename Elements<kKind>::Operand;
  for (int64_t row = begin; row < end; row++) {
    const float* x = a.x + row * a.x_stride;
    Operand* out = static_cast<Operand*>(a.out) + row * a.out_stride;
    const float r = inverse_rms(x, a.cols, a.eps);
    for (int64_t j = 0; j < a.cols; j++) put(out + j, (x[j] * r) * a.weight[j]);
    for (int64_t j = a.cols; j < tensor::round_up(a.cols, tensor::kChunk); j++) put(out + j, 0.0f);
  }
}

void head_norm_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const HeadNormArgs*>(opaque);
  for (int64_t row = begin; row < end; row++) {
    for (int64_t head = 0; head < a.heads; head++) {
      float* x = a.x + row * a.x_stride + head * a.head_dim;
      const float r = inverse_rms(x, a.head_dim, a.eps);
      for (int64_t j = 0; j < a.head_dim; j++) x[j] = (x[j] * r) * a.weight[j];
    }
  }
}

}  // namespace

template <ProductKind kKind>
void ref_rms_norm(const device::ExecContext& context, const RmsNormArgs& args) {
  run_rows(context, args.rows, kNormGrain, norm_rows<kKind>, &args);
}

void ref_head_norm(const device::ExecContext& context, const HeadNormArgs& args) {
  run_rows(context, args.rows, kHeadsGrain, head_norm_rows, &args);
}

template void ref_rms_norm<ProductKind::kBf16>(const device::ExecContext&, const RmsNormArgs&);
template void ref_rms_norm<ProductKind::kF16>(const device::ExecContext&, const RmsNormArgs&);
template void ref_rms_norm<ProductKind::kF32>(const device::ExecContext&, const RmsNormArgs&);

}  // namespace strata::kernels
