// Rows of a packed embedding table, widened to f32. Bound: one cache line per pair of columns
// (bf16), about 10 us a row of 2048.
#include "kernels/items.h"
#include "kernels/ref/linear.h"
#include "tensor/float_bits.h"

namespace strata::kernels {
namespace {

using tensor::ProductKind;

template <ProductKind kKind>
float widened(const std::byte* data, int64_t index) {
  if constexpr (kKind == ProductKind::kF32) return reinterpret_cast<const float*>(data)[index];
  const uint16_t bits = reinterpret_cast<const uint16_t*>(data)[index];
  if constexpr (kKind == ProductKind::kBf16) return tensor::to_float(tensor::Bf16{bits});
  return tensor::to_float(tensor::F16{bits});
}

template <ProductKind kKind>
void embed_rows(const void* raw, int64_t begin, int64_t end) {
  const EmbedArgs& args = *static_cast<const EmbedArgs*>(raw);
  for (int64_t row = begin; row < end; row++) {
    float* out = args.out + row * args.out_stride;
    for (int64_t k = 0; k < args.table.k; k++) {
      out[k] = widened<kKind>(args.table.data,
                              tensor::packed_index(kKind, args.ids[row], k, args.table.k));
    }
  }
}

}  // namespace

template <ProductKind kKind>
void ref_embed(const device::ExecContext& context, const EmbedArgs& args) {
  run_rows(context, args.rows, 4, embed_rows<kKind>, &args);
}

template void ref_embed<ProductKind::kBf16>(const device::ExecContext&, const EmbedArgs&);
template void ref_embed<ProductKind::kF16>(const device::ExecContext&, const EmbedArgs&);
template void ref_embed<ProductKind::kF32>(const device::ExecContext&, const EmbedArgs&);

}  // namespace strata::kernels
