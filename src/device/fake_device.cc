// Simulated time and copies of the fake device.
#include "device/fake_device.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "device/cpu_device.h"

namespace strata::device {
namespace {

bool overlap(const std::byte* a, int64_t a_bytes, const std::byte* b, int64_t b_bytes) {
  return a < b + b_bytes && b < a + a_bytes;
}

}  // namespace

FakeDevice::FakeDevice(FakeDeviceConfig config)
    : config_(config), free_us_(static_cast<size_t>(config.streams), 0) {}

FakeDevice::~FakeDevice() { CHECK(allocated_bytes_ == 0, "a buffer outlives its device"); }

Bandwidths FakeDevice::bandwidths() const {
  return {.memory = 0, .copy = static_cast<double>(config_.copy_bytes_per_us) * 1e6};
}

Result<Buffer> FakeDevice::allocate(int64_t bytes) {
  if (bytes == 0) return Buffer();
  const bool asked_to_fail = fail_allocation_ == 0;
  if (fail_allocation_ >= 0) fail_allocation_--;
  std::byte* data = nullptr;
  if (!asked_to_fail && bytes <= config_.capacity_bytes - allocated_bytes_) data = map_huge(bytes);
  if (data == nullptr) {
    return fail(Code::kResourceLimit, "allocating fake device memory", std::to_string(bytes),
                std::to_string(config_.capacity_bytes - allocated_bytes_) + " bytes or fewer");
  }
  allocated_bytes_ += bytes;
  return Buffer(this, data, bytes);
}

void FakeDevice::free(std::byte* data, int64_t bytes) {
  for (const Copy& copy : copies_) {
    if (overlap(data, bytes, copy.to, copy.bytes) || overlap(data, bytes, copy.from, copy.bytes)) {
      faults_.push_back("freed memory that copy " + std::to_string(copy.event) + " still uses");
    }
  }
  std::erase_if(copies_, [&](const Copy& copy) {
    return overlap(data, bytes, copy.to, copy.bytes) || overlap(data, bytes, copy.from, copy.bytes);
  });
  allocated_bytes_ -= bytes;
  unmap_huge(data, bytes);
}

void FakeDevice::discard(std::byte* data, int64_t bytes) {
  for (const Copy& copy : copies_) {
    if (overlap(data, bytes, copy.to, copy.bytes) || overlap(data, bytes, copy.from, copy.bytes)) {
      faults_.push_back("discarded memory that copy " + std::to_string(copy.event) + " still uses");
    }
  }
  discarded_bytes_ += bytes;
  std::memset(data, 0, static_cast<size_t>(bytes));
}

void FakeDevice::note_overlaps(const Copy& copy) {
  for (const Copy& other : copies_) {
    // Work of one stream is ordered; only copies whose times overlap can race.
    if (other.done_us <= copy.done_us - copy.bytes / config_.copy_bytes_per_us) continue;
    if (overlap(copy.to, copy.bytes, other.to, other.bytes) ||
        overlap(copy.to, copy.bytes, other.from, other.bytes)) {
      faults_.push_back("copy " + std::to_string(copy.event) + " writes memory that copy " +
                        std::to_string(other.event) + " uses at the same time");
    }
  }
}

Event FakeDevice::copy_async(int stream, std::byte* to, const std::byte* from, int64_t bytes) {
  int64_t& stream_free = free_us_[static_cast<size_t>(stream)];
  const int64_t start = std::max(now_us_, stream_free);
  Copy copy{.event = ++last_event_,
            .done_us = start + std::max<int64_t>(1, bytes / config_.copy_bytes_per_us),
            .to = to,
            .from = from,
            .bytes = bytes};
  stream_free = copy.done_us;
  event_us_[copy.event] = copy.done_us;
  note_overlaps(copy);
  std::memset(to, static_cast<int>(kPoison), static_cast<size_t>(bytes));
  copies_.push_back(copy);
  return {copy.event};
}

Event FakeDevice::record(int stream) {
  const uint64_t id = ++last_event_;
  event_us_[id] = std::max(now_us_, free_us_[static_cast<size_t>(stream)]);
  return {id};
}

void FakeDevice::stream_wait(int stream, Event event) {
  if (event.id == 0) return;
  int64_t& stream_free = free_us_[static_cast<size_t>(stream)];
  stream_free = std::max(stream_free, event_us_.at(event.id));
}

bool FakeDevice::ready(Event event) { return event.id == 0 || event_us_.at(event.id) <= now_us_; }

void FakeDevice::wait(Event event) {
  if (!ready(event)) advance_us(event_us_.at(event.id) - now_us_);
}

void FakeDevice::advance_us(int64_t us) {
  now_us_ += us;
  complete_until_now();
}

void FakeDevice::complete_until_now() {
  std::stable_sort(copies_.begin(), copies_.end(),
                   [](const Copy& a, const Copy& b) { return a.done_us < b.done_us; });
  while (!copies_.empty() && copies_.front().done_us <= now_us_) {
    const Copy copy = copies_.front();
    copies_.pop_front();
    std::memmove(copy.to, copy.from, static_cast<size_t>(copy.bytes));
    copied_bytes_ += copy.bytes;
  }
}

}  // namespace strata::device
