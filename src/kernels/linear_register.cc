// The slots of linear, embed and pack: which kernels serve which instruction set.
#include "kernels/linear.h"
#include "kernels/ref/linear.h"
#include "kernels/registry.h"
#if defined(__x86_64__)
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
}

#if defined(__x86_64__)
template <const LinearKernels (&kKernels)[tensor::kProductKinds], int kKind>
void linear_op(const device::ExecContext& context, const LinearArgs& args) {
  run_linear(context, args, kKernels[kKind]);
}

template <const LinearKernels (&kKernels)[tensor::kProductKinds]>
void register_kernels(KernelTable& table, Isa isa) {
  table.linear = {{{linear_op<kKernels, 0>, isa},
                   {linear_op<kKernels, 1>, isa},
                   {linear_op<kKernels, 2>, isa}}};
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
      return register_kernels<kLinearAvx2>(table, isa);
    case Isa::kAvx512:
      return register_kernels<kLinearAvx512>(table, isa);
    case Isa::kAvx512Bf16:
      table.linear[0] = {linear_op<kLinearAvx512Bf16, 0>, isa};
      return;
    case Isa::kAmx:
      table.linear[0] = {linear_op<kLinearAmx, 0>, isa};
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
