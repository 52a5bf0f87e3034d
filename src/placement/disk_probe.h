// How fast the disk gives a model's files to the ring: reads of the files themselves, from front to
// back and around, of the ring's size and as many under way. Measures this one thing; what follows
// from it is cost.h's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "device/device.h"

namespace strata::placement {

struct DiskProbeArgs {
  std::vector<std::string> paths;
  IoKind io = IoKind::kAuto;
  double most_s = 4;   // at most so long
  double least_s = 1;  // and so long although the files have been read around often enough
};

struct DiskSpeed {
  double bytes_per_s = 0;
  int64_t read_bytes = 0;
  double seconds = 0;
  std::string how;  // "io_uring, O_DIRECT": as the queue reads
};

/// What one read asks for, and all under way at once: RingConfig's.
inline constexpr int64_t kProbeRequest = 4 << 20;
inline constexpr int64_t kProbeDepth = 8;

/// Takes 32 MiB of `device` for as long as it measures. Fails where the files cannot be opened or
/// read, or hold nothing.
Result<DiskSpeed> probe_disk(Env& env, device::Device& device, const DiskProbeArgs& args);

}  // namespace strata::placement
