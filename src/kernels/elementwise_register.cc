// The slots of query_operand, rms_norm, head_norm, rope, silu_mul and log_softmax: which kernels
// serve which instruction set.
#include "kernels/elementwise.h"
#include "kernels/ref/ref.h"
#include "kernels/registry.h"
#if defined(__x86_64__)
#include "kernels/x86/elementwise_units.h"
#endif

namespace strata::kernels {
namespace {

using tensor::ProductKind;

void register_scalar(KernelTable& table) {
  table.rms_norm = {{{ref_rms_norm<ProductKind::kBf16>, Isa::kScalar},
                     {ref_rms_norm<ProductKind::kF16>, Isa::kScalar},
                     {ref_rms_norm<ProductKind::kF32>, Isa::kScalar}}};
  table.silu_mul = {{{ref_silu_mul<ProductKind::kBf16>, Isa::kScalar},
                     {ref_silu_mul<ProductKind::kF16>, Isa::kScalar},
                     {ref_silu_mul<ProductKind::kF32>, Isa::kScalar}}};
  table.query_operand = {{{ref_query_operand<ProductKind::kBf16>, Isa::kScalar},
                          {ref_query_operand<ProductKind::kF16>, Isa::kScalar},
                          {ref_query_operand<ProductKind::kF32>, Isa::kScalar}}};
  table.head_norm = {ref_head_norm, Isa::kScalar};
  table.rope = {ref_rope, Isa::kScalar};
  table.log_softmax = {ref_log_softmax, Isa::kScalar};
}

#if defined(__x86_64__)
using device::ExecContext;

template <const ElementwiseKernels& kSet, int kKind>
void rms_norm(const ExecContext& context, const RmsNormArgs& args) {
  run_rows(context, args.rows, kNormGrain, kSet.rms_norm[kKind], &args);
}
template <const ElementwiseKernels& kSet, int kKind>
void silu_mul(const ExecContext& context, const SiluMulArgs& args) {
  run_rows(context, args.rows, kSiluGrain, kSet.silu_mul[kKind], &args);
}
template <const ElementwiseKernels& kSet, int kKind>
void query_operand(const ExecContext& context, const QueryOperandArgs& args) {
  run_rows(context, args.rows, kHeadsGrain, kSet.query_operand[kKind], &args);
}
template <const ElementwiseKernels& kSet>
void head_norm(const ExecContext& context, const HeadNormArgs& args) {
  run_rows(context, args.rows, kHeadsGrain, kSet.head_norm, &args);
}
template <const ElementwiseKernels& kSet>
void rope(const ExecContext& context, const RopeArgs& args) {
  run_rows(context, args.rows, kHeadsGrain, kSet.rope, &args);
}
template <const ElementwiseKernels& kSet>
void log_softmax(const ExecContext& context, const LogSoftmaxArgs& args) {
  run_rows(context, args.rows, kLogSoftmaxGrain, kSet.log_softmax, &args);
}

template <const ElementwiseKernels& kSet>
void register_kernels(KernelTable& table, Isa isa) {
  table.rms_norm = {{{rms_norm<kSet, 0>, isa}, {rms_norm<kSet, 1>, isa}, {rms_norm<kSet, 2>, isa}}};
  table.silu_mul = {{{silu_mul<kSet, 0>, isa}, {silu_mul<kSet, 1>, isa}, {silu_mul<kSet, 2>, isa}}};
  table.query_operand = {{{query_operand<kSet, 0>, isa},
                          {query_operand<kSet, 1>, isa},
                          {query_operand<kSet, 2>, isa}}};
  table.head_norm = {head_norm<kSet>, isa};
  table.rope = {rope<kSet>, isa};
  table.log_softmax = {log_softmax<kSet>, isa};
}
#endif

}  // namespace

void register_elementwise_ops(KernelTable& table, Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return register_scalar(table);
#if defined(__x86_64__)
    case Isa::kAvx2:
      return register_kernels<kElementwiseAvx2>(table, isa);
    case Isa::kAvx512:
      return register_kernels<kElementwiseAvx512>(table, isa);
#endif
    default:
      return;
  }
}

int64_t elementwise_workspace_bytes(const WorkspaceLimits&) { return 0; }

}  // namespace strata::kernels
