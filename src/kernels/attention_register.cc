// The slots of kv_write and attention: which kernels serve which instruction set.
#include "kernels/attention.h"
#include "kernels/ref/ref.h"
#include "kernels/registry.h"
#if defined(__x86_64__)
#include "kernels/x86/attention_units.h"
#endif

namespace strata::kernels {
namespace {

using tensor::ProductKind;

void register_scalar(KernelTable& table) {
  table.kv_write = {{{ref_kv_write<ProductKind::kBf16>, Isa::kScalar},
                     {ref_kv_write<ProductKind::kF16>, Isa::kScalar},
                     {ref_kv_write<ProductKind::kF32>, Isa::kScalar}}};
  table.attention = {{{ref_attention<ProductKind::kBf16>, Isa::kScalar},
                      {ref_attention<ProductKind::kF16>, Isa::kScalar},
                      {ref_attention<ProductKind::kF32>, Isa::kScalar}}};
}

#if defined(__x86_64__)
template <const AttentionKernels (&kKernels)[tensor::kProductKinds], int kKind>
void attention_op(const device::ExecContext& context, const AttentionArgs& args) {
  run_attention(context, args, kKernels[kKind]);
}

template <const AttentionKernels (&kKernels)[tensor::kProductKinds]>
void register_kernels(KernelTable& table, Isa isa) {
  table.attention = {{{attention_op<kKernels, 0>, isa},
                      {attention_op<kKernels, 1>, isa},
                      {attention_op<kKernels, 2>, isa}}};
}
#endif

}  // namespace

void register_attention_ops(KernelTable& table, Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return register_scalar(table);
#if defined(__x86_64__)
    case Isa::kAvx2:
      return register_kernels<kAttentionAvx2>(table, isa);
    case Isa::kAvx512:
      return register_kernels<kAttentionAvx512>(table, isa);
    case Isa::kAvx512Bf16:
      table.attention[0] = {attention_op<kAttentionAvx512Bf16, 0>, isa};
      return;
    case Isa::kAmx:
      table.attention[0] = {attention_op<kAttentionAmx, 0>, isa};
      return;
#endif
    default:
      return;
  }
}

}  // namespace strata::kernels
