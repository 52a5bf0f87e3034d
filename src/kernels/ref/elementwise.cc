// The row-wise ops without a file of their own: the q operand, silu(gate) * up, log-softmax.
#include "kernels/elementwise.h"
#include "kernels/items.h"
#include "kernels/ref/math.h"
#include "kernels/ref/operand.h"
#include "kernels/ref/ref.h"

namespace strata::kernels {
namespace {

using tensor::ProductKind;

template <ProductKind kKind>
void query_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const QueryOperandArgs*>(opaque);
  using Operand = typename Elements<kKind>::Operand;
  const int64_t padded = tensor::round_up(a.head_dim, tensor::kChunk);
  for (int64_t row = begin; row < end; row++) {
    for (int64_t head = 0; head < a.heads; head++) {
      const float* x = a.x + row * a.x_stride + head * a.head_dim;
      Operand* out = static_cast<Operand*>(a.out) + (row * a.heads + head) * padded;
      for (int64_t j = 0; j < padded; j++) put(out + j, j < a.head_dim ? x[j] : 0.0f);
    }
  }
}

template <ProductKind kKind>
void silu_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const SiluMulArgs*>(opaque);
  using Operand = typename Elements<kKind>::Operand;
  for (int64_t row = begin; row < end; row++) {
    const float* gate = a.gate + row * a.stride;
    const float* up = a.up + row * a.stride;
    Operand* out = static_cast<Operand*>(a.out) + row * a.out_stride;
    for (int64_t j = 0; j < a.cols; j++)
      put(out + j, (gate[j] / (1.0f + exp_f32(-gate[j]))) * up[j]);
    for (int64_t j = a.cols; j < tensor::round_up(a.cols, tensor::kChunk); j++) put(out + j, 0.0f);
  }
}

void log_softmax_rows(const void* opaque, int64_t begin, int64_t end) {
  const auto& a = *static_cast<const LogSoftmaxArgs*>(opaque);
  for (int64_t row = begin; row < end; row++) {
    const float* x = a.x + row * a.cols;
    float* out = a.out + row * a.cols;
    float max = x[0];
    for (int64_t j = 1; j < a.cols; j++) max = x[j] > max ? x[j] : max;
    float p[16] = {};
    for (int64_t j = 0; j < a.cols; j++) p[j % 16] = p[j % 16] + exp_f32(x[j] - max);
    const float log_sum = log_f32(fold_tree(p));
    for (int64_t j = 0; j < a.cols; j++) out[j] = (x[j] - max) - log_sum;
  }
}

}  // namespace

template <ProductKind kKind>
void ref_query_operand(const device::ExecContext& context, const QueryOperandArgs& args) {
  run_rows(context, args.rows, kHeadsGrain, query_rows<kKind>, &args);
}

template <ProductKind kKind>
void ref_silu_mul(const device::ExecContext& context, const SiluMulArgs& args) {
  run_rows(context, args.rows, kSiluGrain, silu_rows<kKind>, &args);
}

void ref_log_softmax(const device::ExecContext& context, const LogSoftmaxArgs& args) {
  run_rows(context, args.rows, kLogSoftmaxGrain, log_softmax_rows, &args);
}

template void ref_query_operand<ProductKind::kBf16>(const device::ExecContext&,
                                                    const QueryOperandArgs&);
template void ref_query_operand<ProductKind::kF16>(const device::ExecContext&,
                                                   const QueryOperandArgs&);
template void ref_query_operand<ProductKind::kF32>(const device::ExecContext&,
                                                   const QueryOperandArgs&);
template void ref_silu_mul<ProductKind::kBf16>(const device::ExecContext&, const SiluMulArgs&);
template void ref_silu_mul<ProductKind::kF16>(const device::ExecContext&, const SiluMulArgs&);
template void ref_silu_mul<ProductKind::kF32>(const device::ExecContext&, const SiluMulArgs&);

}  // namespace strata::kernels
