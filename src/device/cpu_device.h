// The CPU as a device: host memory in huge pages; copies are done by the caller at once, so every
// event has happened when it is returned.
#pragma once

#include "device/device.h"

namespace strata::device {

/// Stateless; safe from all threads.
class CpuDevice : public Device {
 public:
  explicit CpuDevice(Bandwidths bandwidths = {}) : bandwidths_(bandwidths) {}

  std::string_view name() const override { return "cpu"; }
  MemorySpace space() const override { return MemorySpace::kHost; }
  int streams() const override { return 1; }
  Bandwidths bandwidths() const override { return bandwidths_; }

  Result<Buffer> allocate(int64_t bytes) override;
  Event copy_async(int stream, std::byte* to, const std::byte* from, int64_t bytes) override;
  Event record(int stream) override;
  void stream_wait(int stream, Event event) override;
  bool ready(Event event) override;
  void wait(Event event) override;

 private:
  void free(std::byte* data, int64_t bytes) override;
  void discard(std::byte* data, int64_t bytes) override;

  Bandwidths bandwidths_;
};

/// Maps zeroed memory at a 2 MiB boundary and asks for huge pages; nullptr where the system
/// refuses. Unmap with unmap_huge(data, bytes).
std::byte* map_huge(int64_t bytes);
void unmap_huge(std::byte* data, int64_t bytes);

}  // namespace strata::device
