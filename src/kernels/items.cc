// The hand-off of work items to the pool.
#include "kernels/items.h"

#include "base/compute_pool.h"
#include "device/exec_context.h"
#include "kernels/fp_mode.h"

namespace strata::kernels {

void run_items(const device::ExecContext& context, int64_t items, ItemFn fn, const void* args) {
  if (context.pool == nullptr || items <= 1) {
    const FpModeScope mode;
    for (int64_t item = 0; item < items; item++) fn(args, item, 0);
    return;
  }
  context.pool->run(items, [&](int64_t item, int thread) {
    const FpModeScope mode;
    fn(args, item, thread);
  });
}

void run_rows(const device::ExecContext& context, int64_t rows, int64_t grain, RowsFn fn,
              const void* args) {
  const int64_t items = grain >= rows ? 1 : (rows + grain - 1) / grain;
  if (context.pool == nullptr || items <= 1) {
    const FpModeScope mode;
    fn(args, 0, rows);
    return;
  }
  context.pool->run(items, [&](int64_t item, int) {
    const FpModeScope mode;
    const int64_t begin = item * grain;
    fn(args, begin, begin + grain < rows ? begin + grain : rows);
  });
}

int pool_threads(const device::ExecContext& context) {
  return context.pool == nullptr ? 1 : context.pool->threads();
}

}  // namespace strata::kernels
