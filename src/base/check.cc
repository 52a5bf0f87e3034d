// Prints and aborts: a core dump at the place of the bug is worth more than an exception far away.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace strata {

void check_failed(const char* file, int line, const char* condition, const char* what) {
  std::fprintf(stderr, "strata: bug at %s:%d: %s (%s)\n", file, line, what, condition);
  std::abort();
}

}  // namespace strata
