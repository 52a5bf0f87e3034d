// The scalar definitions of linear and embed (docs/design/numerics.md).
#pragma once

#include "device/exec_context.h"
#include "kernels/ops.h"

namespace strata::kernels {

template <tensor::ProductKind kKind>
void ref_linear(const device::ExecContext& context, const LinearArgs& args);

/// Used by every instruction set: a gather of single elements has nothing to gain from wide
/// registers.
template <tensor::ProductKind kKind>
void ref_embed(const device::ExecContext& context, const EmbedArgs& args);

}  // namespace strata::kernels
