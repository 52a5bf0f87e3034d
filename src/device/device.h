// A device: one memory space, its streams, events and copies. Kernels run on it (exec_context.h),
// memory allocates from it, the engine waits for its events. Two implementations: the CPU, and a
// fake that tests use to find code that does not wait. It neither computes nor decides what lives
// where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace strata::device {

class Device;

enum class MemorySpace : uint8_t { kHost, kFake };

/// A point in a stream's work. Events of one device are comparable by id; id 0 has always happened.
struct Event {
  uint64_t id = 0;
};

/// Bytes per second that the planner may count on; 0 = not stated.
struct Bandwidths {
  double memory = 0;  // reading the device's own memory
  double copy = 0;    // between host memory and the device
};

/// Owning, zeroed memory of one device, aligned to 2 MiB; moves, never copies. Must not outlive its
/// device nor be freed while a copy that touches it is under way: wait for the copy's event first.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device* owner, std::byte* data, int64_t bytes)
      : owner_(owner), data_(data), bytes_(bytes) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Buffer();

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  std::span<std::byte> span() const { return {data_, static_cast<size_t>(bytes_)}; }
  /// Gives pages back: they hold zeros, and are taken anew when touched. Both numbers are multiples
  /// of 4 KiB inside the buffer; no copy may be under way there.
  void discard(int64_t offset, int64_t bytes);

 private:
  void swap(Buffer& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  Device* owner_ = nullptr;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

/// One thread uses a stream at a time; different streams may be used from different threads.
class Device {
 public:
  virtual ~Device() = default;

  virtual std::string_view name() const = 0;
  virtual MemorySpace space() const = 0;
  virtual int streams() const = 0;
  virtual Bandwidths bandwidths() const = 0;

  /// Anonymous memory that asks for huge pages; pages are taken when first touched. kResourceLimit
  /// where refused.
  virtual Result<Buffer> allocate(int64_t bytes) = 0;

  /// Enqueues a copy; source and destination must stay untouched until the event has happened.
  virtual Event copy_async(int stream, std::byte* to, const std::byte* from, int64_t bytes) = 0;
  /// The event of everything enqueued on the stream so far.
  virtual Event record(int stream) = 0;
  /// Later work of the stream starts after the event.
  virtual void stream_wait(int stream, Event event) = 0;
  virtual bool ready(Event event) = 0;
  /// Blocks the calling thread until the event has happened.
  virtual void wait(Event event) = 0;

 private:
  friend class Buffer;
  virtual void free(std::byte* data, int64_t bytes) = 0;
  virtual void discard(std::byte* data, int64_t bytes) = 0;
};

inline Buffer::~Buffer() {
  if (data_ != nullptr) owner_->free(data_, bytes_);
}

inline void Buffer::discard(int64_t offset, int64_t bytes) {
  owner_->discard(data_ + offset, bytes);
}

}  // namespace strata::device
