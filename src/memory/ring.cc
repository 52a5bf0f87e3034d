// The consumer's half of the ring; the reader's half is ring_reader.cc.
#include "memory/ring.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/thread_name.h"

namespace strata::memory {
namespace {

using Clock = std::chrono::steady_clock;

// How soon a wait notices that it is to stop.
constexpr std::chrono::milliseconds kStopCheck{100};

}  // namespace

int64_t Ring::least_bytes(const UnitSource& source, const std::vector<size_t>& order) {
  int64_t most = 0;
  for (const size_t unit : order) {
    most = std::max(most, plan_reads(source.parts()[unit], kDirectBlock).place_bytes);
  }
  return most;
}

Ring::Ring(const UnitSource& source, std::vector<size_t> order, const RingConfig& config,
           device::Buffer buffer, Charge charge)
    : source_(source),
      order_(std::move(order)),
      config_(config),
      buffer_(std::move(buffer)),
      charge_(std::move(charge)) {
  for (const size_t unit : order_) {
    plans_.push_back(plan_reads(source.parts()[unit], config.request_bytes));
  }
}

Result<std::unique_ptr<Ring>> Ring::create(Env& env, device::Device& device, MemoryAccount& account,
                                           const UnitSource& source, std::vector<size_t> order,
                                           const RingConfig& config) {
  CHECK(!order.empty(), "a ring without units");
  const int64_t least = least_bytes(source, order);
  if (config.bytes < least) {
    return fail(Code::kInvalidArgument, "--ring-bytes", format_bytes(config.bytes),
                fmt::format("at least the {} of the largest streamed unit", format_bytes(least)));
  }
  device::Buffer buffer = TRY(device.allocate(config.bytes));
  Charge charge(account, MemoryTag::kRing, buffer.bytes());
  std::unique_ptr<Ring> ring(
      new Ring(source, std::move(order), config, std::move(buffer), std::move(charge)));
  ring->reader_ = std::thread([raw = ring.get(), &env] { raw->run(env); });
  name_thread(ring->reader_, "strata-ring");
  std::unique_lock lock(ring->mutex_);
  ring->for_consumer_.wait(lock, [&] { return ring->opened_.has_value(); });
  const Result<void> opened = *ring->opened_;
  lock.unlock();
  TRY(opened);
  return ring;
}

Ring::~Ring() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  for_reader_.notify_all();
  if (reader_.joinable()) reader_.join();
}

// Places that were never opened are opened here as released ones: the reader passes by them.
void Ring::pass_over_to(size_t unit) {
  while (true) {
    if (awaited_ == first_place_ + places_.size()) open_place();
    Place& next = place(awaited_);
    if (order_[next.slot] == unit) return;
    next.released = true;
    awaited_++;
  }
}

bool Ring::awaited_is_read() const {
  if (awaited_ == first_place_ + places_.size()) return false;  // not even begun
  return finished_reading(place(awaited_));
}

Result<Ring::Held> Ring::take_awaited() {
  Place& taken = place(awaited_);
  if (taken.failure) {
    taken.released = true;
    awaited_++;
    return std::unexpected(*taken.failure);
  }
  stats_.units++;
  const StoredUnit& unit = source_.parts()[order_[taken.slot]];
  const std::byte* start = buffer_.data() + taken.position % config_.bytes;
  Held held{awaited_++, {}};
  for (size_t i = 0; i < unit.pieces.size(); i++) {
    held.pieces.emplace_back(start + plan_of(taken).piece_starts[i],
                             static_cast<size_t>(unit.pieces[i].bytes));
  }
  return held;
}

Result<Ring::Held> Ring::acquire(size_t unit, const StopCheck& stop) {
  CHECK(std::ranges::find(order_, unit) != order_.end(), "a unit that is not streamed");
  std::unique_lock lock(mutex_);
  pass_over_to(unit);
  give_back();
  for_reader_.notify_one();
  if (!awaited_is_read()) {
    const Clock::time_point from = Clock::now();
    int64_t seen = ended_;
    while (!for_consumer_.wait_for(lock, kStopCheck, [this] { return awaited_is_read(); })) {
      const bool moved = std::exchange(seen, ended_) != ended_;
      if (stop && stop(moved)) return fail(Code::kCancelled, "waiting for weights: stopped");
    }
    stats_.waits++;
    stats_.waited_s += std::chrono::duration<double>(Clock::now() - from).count();
  }
  auto held = take_awaited();
  if (!held) give_back();
  return held;
}

void Ring::release(const Held& held) {
  {
    const std::lock_guard lock(mutex_);
    place(held.place).released = true;
    give_back();
  }
  for_reader_.notify_one();
}

bool Ring::ready(size_t unit) const {
  const std::lock_guard lock(mutex_);
  if (awaited_ == first_place_ + places_.size()) return false;
  const Place& next = place(awaited_);
  return order_[next.slot] == unit && finished_reading(next);
}

RingStats Ring::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace strata::memory
