// What the machine offers, as far as resolving "auto" and `doctor` need it: read once at start from
// /proc and /sys. Measures no speed (kernels/probe.h does).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/env.h"
#include "kernels/kernel_table.h"

namespace strata::engine {

struct MachineFacts {
  std::string cpu;  // "AMD EPYC ..."; empty where unknown
  int cores = 1;    // that this process may run on
  int numa_nodes = 1;
  int64_t memory_bytes = 0;        // of the machine, or of the cgroup where that is less
  int64_t available_bytes = 0;     // without pushing others out; 0 = unknown
  int64_t process_bytes = 0;       // that this process holds already; 0 = unknown
  std::string huge_pages;          // "always", "madvise", "never"; empty where unknown
  std::vector<kernels::Isa> isas;  // weakest first
};

/// Asks for the AMX permission on the way: call before threads start.
MachineFacts look_at_machine(Env& env);

/// Bytes of this process in RAM; 0 where the system does not say.
int64_t resident_bytes(Env& env);

}  // namespace strata::engine
