// The seam between the row-wise ops (elementwise_register.cc: which slots, how many rows an item)
// and the row functions of one instruction set (x86/elementwise_*.cc). Each function takes the op's
// own argument struct (ops.h) and a range of rows.
#pragma once

#include "kernels/items.h"

namespace strata::kernels {

struct ElementwiseKernels {
  RowsFn rms_norm[3];  // by ProductKind
  RowsFn silu_mul[3];
  RowsFn query_operand[3];
  RowsFn head_norm;
  RowsFn rope;
  RowsFn log_softmax;
};

}  // namespace strata::kernels
