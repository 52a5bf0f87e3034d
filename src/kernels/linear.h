// The driver of linear ops over the kernels of one instruction set: packs the operand rows once,
// cuts outputs and rows into work items of fixed shape and hands them to the pool.
#pragma once

#include "device/exec_context.h"
#include "kernels/linear_kernels.h"
#include "kernels/ops.h"

namespace strata::kernels {

/// Needs linear_workspace_bytes() of workspace. `expand` serves parts that are coded.
void run_linear(const device::ExecContext& context, const LinearArgs& args,
                const LinearKernels& kernels, ExpandFn expand);

/// Bytes of workspace for any LinearArgs of at most `rows` rows and depth `k`, with any kernels.
int64_t linear_workspace_bytes(int64_t rows, int64_t k);

}  // namespace strata::kernels
