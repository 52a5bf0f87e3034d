// The passes over logits in the kernel table: one record per instruction set.
#include "kernels/ref/ref.h"
#include "kernels/registry.h"
#if defined(__x86_64__)
#include "kernels/x86/logits_units.h"
#endif

namespace strata::kernels {

void register_logits_passes(KernelTable& table, Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      table.logits = kLogitsScalar;
      return;
#if defined(__x86_64__)
    case Isa::kAvx2:
      table.logits = kLogitsAvx2;
      return;
    case Isa::kAvx512:
      table.logits = kLogitsAvx512;
      return;
#endif
    default:
      return;
  }
}

}  // namespace strata::kernels
