// Spreads the work items of an op over the pool of its context, each in the floating-point mode of
// the numerics. Ordinary functions taking plain pointers, so that units of any instruction set may
// include this header.
#pragma once

#include <cstdint>

namespace strata::device {
struct ExecContext;
}

namespace strata::kernels {

/// One item of an op; `args` is the op's own, `thread` < pool_threads(context) tells who runs it
/// (for per-thread scratch).
using ItemFn = void (*)(const void* args, int64_t item, int thread);

/// Runs every item in [0, items); on the caller alone if there is one item or no pool.
void run_items(const device::ExecContext& context, int64_t items, ItemFn fn, const void* args);

/// Rows [begin, end) of an op.
using RowsFn = void (*)(const void* args, int64_t begin, int64_t end);

/// Cuts `rows` into items of at least `grain` rows: small work stays on the caller, because a
/// hand-off has its price.
void run_rows(const device::ExecContext& context, int64_t rows, int64_t grain, RowsFn fn,
              const void* args);

int pool_threads(const device::ExecContext& context);

}  // namespace strata::kernels
