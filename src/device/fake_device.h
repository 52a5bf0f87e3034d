// A device for tests: copies complete only when its clock is advanced, allocation fails on demand,
// and misuse is written down instead of going unnoticed. What works here waits for its events; the
// CPU device, where copies are instant, cannot show that.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "device/device.h"

namespace strata::device {

struct FakeDeviceConfig {
  int streams = 2;
  int64_t copy_bytes_per_us = 1000;
  int64_t capacity_bytes = int64_t{1} << 30;
};

/// Single-threaded. Until a copy has completed its destination is filled with kPoison; its source
/// is read at completion.
class FakeDevice : public Device {
 public:
  static constexpr std::byte kPoison{0xA5};

  explicit FakeDevice(FakeDeviceConfig config = {});
  ~FakeDevice() override;
  FakeDevice(const FakeDevice&) = delete;
  FakeDevice& operator=(const FakeDevice&) = delete;

  std::string_view name() const override { return "fake"; }
  MemorySpace space() const override { return MemorySpace::kFake; }
  int streams() const override { return config_.streams; }
  Bandwidths bandwidths() const override;

  Result<Buffer> allocate(int64_t bytes) override;
  Event copy_async(int stream, std::byte* to, const std::byte* from, int64_t bytes) override;
  Event record(int stream) override;
  void stream_wait(int stream, Event event) override;
  bool ready(Event event) override;
  /// Advances the clock as far as needed.
  void wait(Event event) override;

  /// Moves the clock; copies whose time has come are carried out in order.
  void advance_us(int64_t us);
  int64_t now_us() const { return now_us_; }
  /// The allocation `calls` from now (0 = the next) fails.
  void fail_allocation(int calls) { fail_allocation_ = calls; }
  int64_t allocated_bytes() const { return allocated_bytes_; }
  int64_t copied_bytes() const { return copied_bytes_; }
  int64_t discarded_bytes() const { return discarded_bytes_; }
  /// Misuse seen so far, one line each: memory freed or discarded under a copy, memory overwritten
  /// by two copies at once.
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  struct Copy {
    uint64_t event = 0;
    int64_t done_us = 0;
    std::byte* to = nullptr;
    const std::byte* from = nullptr;
    int64_t bytes = 0;
  };

  void free(std::byte* data, int64_t bytes) override;
  void discard(std::byte* data, int64_t bytes) override;
  void complete_until_now();
  void note_overlaps(const Copy& copy);

  FakeDeviceConfig config_;
  int64_t now_us_ = 0;
  uint64_t last_event_ = 0;
  int fail_allocation_ = -1;
  int64_t allocated_bytes_ = 0;
  int64_t discarded_bytes_ = 0;
  int64_t copied_bytes_ = 0;
  std::vector<int64_t> free_us_;          // per stream: when its last work ends
  std::map<uint64_t, int64_t> event_us_;  // when each event happens
  std::deque<Copy> copies_;               // under way
  std::vector<std::string> faults_;
};

}  // namespace strata::device
