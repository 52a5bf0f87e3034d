// The prefetch ring: one thread reads the streamed units of a model into a cyclic buffer, in the
// order of the pass and around from the last unit of one to the first of the next, as far ahead as
// there is room. A consumer waits for one unit at a time, never for a barrier; what it gives back
// is overwritten by the units to come. Computes nothing and knows no layout.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "device/device.h"
#include "memory/account.h"
#include "memory/read_plan.h"
#include "memory/unit_source.h"

namespace strata::memory {

struct RingConfig {
  int64_t bytes = 0;  // of the buffer; at least Ring::least_bytes()
  IoKind io = IoKind::kAuto;
  /// One request, and under way at once in all: what keeps a disk busy although this thread must
  /// wait for a core between a request's end and the next one's start (bench/ring_bench.cc).
  int64_t request_bytes = 4 << 20;
  int64_t depth_bytes = 32 << 20;
};

struct RingStats {
  int64_t units = 0;  // leased
  int64_t read_bytes = 0;
  int64_t reads = 0;
  int64_t waits = 0;           // leases that had to wait for the disk
  double waited_s = 0;         // by them
  int64_t most_under_way = 0;  // requests
};

/// Asked now and then while a lease waits, `moved` where a read has ended since the last time;
/// true: the wait ends with kCancelled.
using StopCheck = std::function<bool(bool moved)>;

/// One thread (the consumer) makes the ring, acquires and releases.
class Ring {
 public:
  /// `order`: the units to stream, in the order of a pass, each once, not empty. The buffer lies on
  /// `device` and is charged to MemoryTag::kRing; reading begins at once. `source` must outlive the
  /// ring. Fails where files cannot be opened or the buffer is too small.
  static Result<std::unique_ptr<Ring>> create(Env& env, device::Device& device,
                                              MemoryAccount& account, const UnitSource& source,
                                              std::vector<size_t> order, const RingConfig& config);
  /// Stops reading; no unit may be held any more.
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// The smallest buffer in which `order` can be streamed: its largest unit as read.
  static int64_t least_bytes(const UnitSource& source, const std::vector<size_t>& order);

  /// A unit in memory. Its bytes stay until release().
  struct Held {
    uint64_t place = 0;
    std::vector<std::span<const std::byte>> pieces;
  };
  /// Waits until the unit has been read. Units between the one acquired before and this one are
  /// passed over. Fails with the read's error (naming unit, file and byte), or kCancelled; the ring
  /// goes on with the units behind it. Whoever holds units whose places the awaited one needs waits
  /// for ever: with least_bytes(), release before acquiring.
  Result<Held> acquire(size_t unit, const StopCheck& stop);
  void release(const Held& held);
  /// Whether acquire(unit) would find it read.
  bool ready(size_t unit) const;

  int64_t bytes() const { return buffer_.bytes(); }
  RingStats stats() const;
  /// How the queue reads, for the log.
  const std::string& description() const { return description_; }

 private:
  // A unit's stretch of the buffer. Positions count all bytes ever handed out: place p lies at
  // p % bytes, and what is within `bytes` of the oldest place is free to be read into.
  struct Place {
    size_t slot = 0;  // into order_
    int64_t position = 0;
    size_t issued = 0;  // of the unit's reads
    size_t ended = 0;
    bool released = false;  // or passed over
    std::optional<Status> failure = {};
  };

  Ring(const UnitSource& source, std::vector<size_t> order, const RingConfig& config,
       device::Buffer buffer, Charge charge);
  void run(Env& env);
  Result<std::unique_ptr<ReadQueue>> open_queue(Env& env) const;
  void open_place();
  bool next_read(ReadRequest& request);
  bool issue_all(ReadQueue& queue);
  int depth() const;
  void take(const ReadOutcome& outcome);
  void give_back();
  bool finished_reading(const Place& place) const;
  bool awaited_is_read() const;
  Place& place(uint64_t sequence) { return places_[sequence - first_place_]; }
  const Place& place(uint64_t sequence) const { return places_[sequence - first_place_]; }
  const UnitReadPlan& plan_of(const Place& place) const { return plans_[place.slot]; }
  void pass_over_to(size_t unit);
  Result<Held> take_awaited();

  const UnitSource& source_;
  const std::vector<size_t> order_;
  const RingConfig config_;
  std::vector<UnitReadPlan> plans_;  // as order_
  device::Buffer buffer_;
  Charge charge_;
  std::string description_;

  mutable std::mutex mutex_;
  std::condition_variable for_reader_;    // a place was given back, or stop_
  std::condition_variable for_consumer_;  // a unit has been read, or the queue was opened
  std::deque<Place> places_;              // in the order of reading
  uint64_t first_place_ = 0;              // sequence number of places_.front()
  uint64_t reading_ = 0;                  // the place whose reads are being issued
  uint64_t awaited_ = 0;                  // the place that is acquired next
  int64_t end_ = 0;                       // position behind the last place
  int64_t under_way_ = 0;
  bool stop_ = false;
  int64_t ended_ = 0;  // reads
  std::optional<Result<void>> opened_;
  RingStats stats_;
  std::thread reader_;
};

}  // namespace strata::memory
