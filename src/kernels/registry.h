// Who fills which slots of the kernel table. One function per group of ops: given one instruction
// set, it overwrites the slots for which that set has a kernel and leaves the others;
// kernel_table.cc calls them from scalar upwards.
#pragma once

#include "kernels/kernel_table.h"

namespace strata::kernels {

void register_linear_ops(KernelTable& table, Isa isa);     // linear, embed, pack (linear.cc)
void register_attention_ops(KernelTable& table, Isa isa);  // kv_write, attention
void register_elementwise_ops(
    KernelTable& table,
    Isa isa);  // rms_norm, head_norm, rope, query_operand, silu_mul, log_softmax
void register_logits_passes(KernelTable& table, Isa isa);  // logits

/// What the ops of a group need of ExecContext::workspace.
int64_t linear_workspace_bytes(const WorkspaceLimits& limits);
int64_t attention_workspace_bytes(const WorkspaceLimits& limits);
int64_t elementwise_workspace_bytes(const WorkspaceLimits& limits);

}  // namespace strata::kernels
