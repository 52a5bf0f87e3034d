// The scalar reference: one function per slot of the kernel table, plain C++ written from
// docs/design/numerics.md as directly as possible. It is the definition that every other
// implementation is compared with for equality, and the scalar ISA.
#pragma once

#include "device/exec_context.h"
#include "kernels/logits_kernels.h"
#include "kernels/ops.h"

namespace strata::kernels {

// Instantiated for the three product kinds, each in the file of its name.
template <tensor::ProductKind kKind>
void ref_kv_write(const device::ExecContext& context, const KvWriteArgs& args);
template <tensor::ProductKind kKind>
void ref_attention(const device::ExecContext& context, const AttentionArgs& args);
template <tensor::ProductKind kKind>
void ref_rms_norm(const device::ExecContext& context, const RmsNormArgs& args);
template <tensor::ProductKind kKind>
void ref_query_operand(const device::ExecContext& context, const QueryOperandArgs& args);
template <tensor::ProductKind kKind>
void ref_silu_mul(const device::ExecContext& context, const SiluMulArgs& args);

void ref_head_norm(const device::ExecContext& context, const HeadNormArgs& args);
void ref_rope(const device::ExecContext& context, const RopeArgs& args);
void ref_log_softmax(const device::ExecContext& context, const LogSoftmaxArgs& args);

extern const LogitsKernels kLogitsScalar;

}  // namespace strata::kernels
