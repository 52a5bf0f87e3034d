// Numbers that nobody can guess, from the system: for ids, and for seeds that nobody gave.
#pragma once

#include <sys/random.h>

#include <cstdint>

#include "base/check.h"

namespace strata {

/// A system call, less than a microsecond. std::random_device asks which processor this is whenever
/// one is made: 20 us in a virtual machine.
inline uint64_t random_u64() {
  uint64_t word = 0;
  const ssize_t got = ::getrandom(&word, sizeof(word), 0);
  CHECK(got == ssize_t{sizeof(word)}, "so few bytes are given whole");
  return word;
}

}  // namespace strata
