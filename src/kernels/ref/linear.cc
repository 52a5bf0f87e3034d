// The definition of linear ops: every output is one product sum of docs/design/numerics.md, written
// as it stands there.
#include "kernels/ref/linear.h"

#include "kernels/items.h"
#include "tensor/float_bits.h"

namespace strata::kernels {
namespace {

using tensor::kChunk;
using tensor::kPanel;
using tensor::ProductKind;

template <ProductKind kKind>
float weight(const tensor::PackedMatrix& w, int64_t n, int64_t k) {
  const int64_t index = tensor::packed_index(kKind, n, k, w.k);
  if constexpr (kKind == ProductKind::kF32) return reinterpret_cast<const float*>(w.data)[index];
  const uint16_t bits = reinterpret_cast<const uint16_t*>(w.data)[index];
  if constexpr (kKind == ProductKind::kBf16) return tensor::to_float(tensor::Bf16{bits});
  return tensor::to_float(tensor::F16{bits});
}

template <ProductKind kKind>
float operand(const LinearArgs& args, int64_t row, int64_t k) {
  if constexpr (kKind == ProductKind::kBf16) {
    return tensor::to_float(
        tensor::Bf16{static_cast<const uint16_t*>(args.x)[row * args.x_stride + k]});
  }
  return static_cast<const float*>(args.x)[row * args.x_stride + k];
}

template <ProductKind kKind>
float product_sum(const LinearArgs& args, const tensor::PackedMatrix& w, int64_t row, int64_t n) {
  float acc = 0.0f;
  for (int64_t chunk = 0; chunk < w.k; chunk += kChunk) {
    float e = 0.0f, o = 0.0f;
    for (int64_t i = chunk; i < chunk + kChunk; i += 2) {
      e = __builtin_fmaf(operand<kKind>(args, row, i), weight<kKind>(w, n, i), e);
      o = __builtin_fmaf(operand<kKind>(args, row, i + 1), weight<kKind>(w, n, i + 1), o);
    }
    acc = acc + (e + o);
  }
  return acc;
}

template <ProductKind kKind>
void panel(const LinearArgs& args, const LinearPart& part, int64_t first) {
  const int64_t last = first + kPanel < part.w.n ? first + kPanel : part.w.n;
  for (int64_t row = 0; row < args.m; row++) {
    for (int64_t n = first; n < last; n++) {
      float y = product_sum<kKind>(args, part.w, row, n);
      if (part.bias != nullptr) y = y + part.bias[n];
      float& out = part.out[row * part.out_stride + n];
      out = part.accumulate ? out + y : y;
    }
  }
}

template <ProductKind kKind>
void item(const void* raw, int64_t index, int) {
  const LinearArgs& args = *static_cast<const LinearArgs*>(raw);
  for (const LinearPart& part : args.parts) {
    const int64_t panels = tensor::round_up(part.w.n, kPanel) / kPanel;
    if (index < panels) return panel<kKind>(args, part, index * kPanel);
    index -= panels;
  }
}

}  // namespace

template <ProductKind kKind>
void ref_linear(const device::ExecContext& context, const LinearArgs& args) {
  int64_t panels = 0;
  for (const LinearPart& part : args.parts) panels += tensor::round_up(part.w.n, kPanel) / kPanel;
  run_items(context, panels, item<kKind>, &args);
}

template void ref_linear<ProductKind::kBf16>(const device::ExecContext&, const LinearArgs&);
template void ref_linear<ProductKind::kF16>(const device::ExecContext&, const LinearArgs&);
template void ref_linear<ProductKind::kF32>(const device::ExecContext&, const LinearArgs&);

}  // namespace strata::kernels
