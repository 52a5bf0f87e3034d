// The definition of linear ops: every output is one product sum of docs/design/numerics.md, written
// as it stands there.
#include "kernels/ref/linear.h"

#include <algorithm>
#include <array>
#include <span>

#include "kernels/items.h"
#include "tensor/exponent_coding.h"
#include "tensor/float_bits.h"

namespace strata::kernels {
namespace {

using tensor::kChunk;
using tensor::kPanel;
using tensor::ProductKind;

// Of a chunk of a panel: output n of 32, k of 32.
template <ProductKind kKind>
float weight(const std::byte* chunk, int64_t n, int64_t k) {
  const int64_t index = tensor::packed_index(kKind, n, k, kChunk);
  if constexpr (kKind == ProductKind::kF32) return reinterpret_cast<const float*>(chunk)[index];
  const uint16_t bits = reinterpret_cast<const uint16_t*>(chunk)[index];
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

// acc += the sums of the even and of the odd products of one chunk.
template <ProductKind kKind>
void add_chunk(const LinearArgs& args, int64_t row, int64_t first, const std::byte* weights,
               std::span<float> acc) {
  for (size_t n = 0; n < acc.size(); n++) {
    float e = 0.0f, o = 0.0f;
    for (int64_t i = 0; i < kChunk; i += 2) {
      const auto w = static_cast<int64_t>(n);
      e = __builtin_fmaf(operand<kKind>(args, row, first + i), weight<kKind>(weights, w, i), e);
      o = __builtin_fmaf(operand<kKind>(args, row, first + i + 1), weight<kKind>(weights, w, i + 1),
                         o);
    }
    acc[n] = acc[n] + (e + o);
  }
}

template <ProductKind kKind>
void panel(const LinearArgs& args, const LinearPart& part, int64_t index) {
  constexpr int64_t kChunkBytes = kPanel * kChunk * tensor::element_bytes(kKind);
  alignas(64) std::byte expanded[kChunkBytes];
  const tensor::PackedMatrix& w = part.w;
  const std::byte* data = w.data + index * w.panel_bytes();
  const int64_t chunks = tensor::round_up(w.k, kChunk) / kChunk, first = index * kPanel;
  const auto outputs = static_cast<size_t>(std::min(kPanel, w.n - first));
  for (int64_t row = 0; row < args.m; row++) {
    std::array<float, kPanel> acc = {};
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
      const std::byte* weights = data + chunk * kChunkBytes;
      if (w.coded()) {
        tensor::expand_chunks({data, w.coded_panel_bytes, chunks, chunk, 1, expanded});
        weights = expanded;
      }
      add_chunk<kKind>(args, row, chunk * kChunk, weights, std::span(acc).first(outputs));
    }
    for (size_t n = 0; n < outputs; n++) {
      const int64_t column = first + static_cast<int64_t>(n);
      const float y = part.bias == nullptr ? acc[n] : acc[n] + part.bias[column];
      float& out = part.out[row * part.out_stride + column];
      out = part.accumulate ? out + y : y;
    }
  }
}

template <ProductKind kKind>
void item(const void* raw, int64_t index, int) {
  const LinearArgs& args = *static_cast<const LinearArgs*>(raw);
  for (const LinearPart& part : args.parts) {
    const int64_t panels = tensor::round_up(part.w.n, kPanel) / kPanel;
    if (index < panels) return panel<kKind>(args, part, index);
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
