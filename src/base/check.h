// CHECK aborts on a bug of ours, in every build type. It must never be reachable from input: what a
// file, a flag or a request can cause is a Status (status.h).
#pragma once

namespace strata {
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* what);
}

#define CHECK(condition, what)                                      \
  do {                                                              \
    if (!(condition)) [[unlikely]]                                  \
      ::strata::check_failed(__FILE__, __LINE__, #condition, what); \
  } while (false)
