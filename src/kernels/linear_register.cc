// The slots of linear, embed and pack: which kernels serve which instruction set.
#include "kernels/cpu_features.h"
#include "kernels/linear.h"
#include "kernels/ref/linear.h"
#include "kernels/registry.h"
#if defined(__x86_64__)
#include "kernels/x86/expand/expand_units.h"
#include "kernels/x86/linear_units.h"
#include "kernels/x86/pack_units.h"
#endif

namespace strata::kernels {
namespace {

using tensor::ProductKind;

void register_scalar(KernelTable& table) {
  table.linear = {{{ref_linear<ProductKind::kBf16>, Isa::kScalar},
                   {ref_linear<ProductKind::kF16>, Isa::kScalar},
                   {ref_linear<ProductKind::kF32>, Isa::kScalar}}};
  table.embed = {{{ref_embed<ProductKind::kBf16>, Isa::kScalar},
                  {ref_embed<ProductKind::kF16>, Isa::kScalar},
                  {ref_embed<ProductKind::kF32>, Isa::kScalar}}};
  table.pack = tensor::pack_rows;
  table.expand = tensor::expand_chunks;
}

#if defined(__x86_64__)
template <const LinearKernels (&kKernels)[tensor::kProductKinds], int kKind, ExpandFn kExpand>
void linear_op(const device::ExecContext& context, const LinearArgs& args) {
  run_linear(context, args, kKernels[kKind], kExpand);
}

// Coded weights are expanded by the best unit that the CPU has: VBMI2 is no part of AVX-512's rest.
template <const LinearKernels (&kKernels)[tensor::kProductKinds]>
Slot<LinearArgs> bf16_slot(Isa isa) {
  if (cpu_features().avx512_vbmi2) return {linear_op<kKernels, 0, expand_chunks_vbmi2>, isa};
  return {linear_op<kKernels, 0, expand_chunks_avx2>, isa};
}

template <const LinearKernels (&kKernels)[tensor::kProductKinds]>
void register_kernels(KernelTable& table, Slot<LinearArgs> bf16) {
  table.linear = {{bf16,
                   {linear_op<kKernels, 1, expand_chunks_avx2>, bf16.isa},
                   {linear_op<kKernels, 2, expand_chunks_avx2>, bf16.isa}}};
}
#endif

}  // namespace

void register_linear_ops(KernelTable& table, Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return register_scalar(table);
#if defined(__x86_64__)
    case Isa::kAvx2:
      table.pack = pack_rows_avx2;
      table.expand = expand_chunks_avx2;
      return register_kernels<kLinearAvx2>(table,
                                           {linear_op<kLinearAvx2, 0, expand_chunks_avx2>, isa});
    case Isa::kAvx512:
      if (cpu_features().avx512_vbmi2) table.expand = expand_chunks_vbmi2;
      return register_kernels<kLinearAvx512>(table, bf16_slot<kLinearAvx512>(isa));
    case Isa::kAvx512Bf16:
      table.linear[0] = bf16_slot<kLinearAvx512Bf16>(isa);
      return;
    case Isa::kAmx:
      table.linear[0] = bf16_slot<kLinearAmx>(isa);
      return;
#endif
    default:
      return;
  }
}

int64_t linear_workspace_bytes(const WorkspaceLimits& limits) {
  return linear_workspace_bytes(limits.rows, limits.k);
}

}  // namespace strata::kernels
