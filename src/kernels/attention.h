// The driver of attention over the tile functions of one instruction set: cuts queries into row
// tiles and keys into splits, hands them to the pool and merges. Decode, a chunk of a prompt and a
// whole prompt are one thing here.
#pragma once

#include "device/exec_context.h"
#include "kernels/attention_kernels.h"
#include "kernels/ops.h"

namespace strata::kernels {

/// Needs attention_workspace_bytes() (registry.h) of workspace.
void run_attention(const device::ExecContext& context, const AttentionArgs& args,
                   const AttentionKernels& kernels);

}  // namespace strata::kernels
