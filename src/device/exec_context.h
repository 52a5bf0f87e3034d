// What an op needs beside its arguments: the device and stream it runs on, its scratch memory and
// its threads.
#pragma once

#include <cstddef>
#include <span>

namespace strata {
class ComputePool;
}

namespace strata::device {

class Device;

struct ExecContext {
  Device* device = nullptr;  // where the operands live; not owned
  int stream = 0;            // ops of one stream run in order
  std::span<std::byte>
      workspace;                // scratch, 64-byte aligned, valid until the next op of this stream
  ComputePool* pool = nullptr;  // CPU only: who computes the work items; not owned
};

}  // namespace strata::device
