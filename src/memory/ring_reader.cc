// The reader's half of the ring: the thread that owns the read queue. It issues what there is room
// for, waits for outcomes, and sleeps only where nothing is under way and nothing fits.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "memory/ring.h"

namespace strata::memory {

int Ring::depth() const {
  return static_cast<int>(std::max<int64_t>(2, config_.depth_bytes / config_.request_bytes));
}

Result<std::unique_ptr<ReadQueue>> Ring::open_queue(Env& env) const {
  return env.open_read_queue(
      {.paths = source_.paths(), .io = config_.io, .depth = depth(), .buffer = buffer_.span()});
}

// The place of the unit that follows the last one; a unit never wraps, so the rest of the buffer
// behind the last place may stay unused.
void Ring::open_place() {
  const uint64_t sequence = first_place_ + places_.size();
  const size_t slot = sequence % order_.size();
  const int64_t bytes = plans_[slot].place_bytes;
  const int64_t rest = config_.bytes - end_ % config_.bytes;
  if (bytes > rest) end_ += rest;
  places_.push_back({.slot = slot, .position = end_});
  end_ += bytes;
}

bool Ring::finished_reading(const Place& place) const {
  if (place.ended < place.issued) return false;
  return place.failure || place.issued == plan_of(place).reads.size();
}

// Oldest places first: what lies behind them is what the reads ahead may take.
void Ring::give_back() {
  while (!places_.empty() && places_.front().released &&
         places_.front().ended == places_.front().issued) {
    if (reading_ == first_place_) reading_++;
    first_place_++;
    places_.pop_front();
  }
}

// The next read that there is room for. Places that have failed or were passed over get no more.
bool Ring::next_read(ReadRequest& request) {
  while (true) {
    if (reading_ == first_place_ + places_.size()) open_place();
    const Place& next = place(reading_);
    if (!next.released && !next.failure && next.issued < plan_of(next).reads.size()) break;
    reading_++;
  }
  Place& next = place(reading_);
  const PlannedRead& read = plan_of(next).reads[next.issued];
  const int64_t oldest = places_.front().position;
  if (next.position + read.at + read.bytes > oldest + config_.bytes) return false;
  const auto start = static_cast<size_t>(next.position % config_.bytes + read.at);
  request = {.id = reading_,
             .file = read.file,
             .offset = read.offset,
             .out = buffer_.span().subspan(start, static_cast<size_t>(read.bytes)),
             .needed = static_cast<size_t>(read.needed)};
  next.issued++;
  stats_.reads++;
  stats_.read_bytes += read.bytes;
  return true;
}

// Request ids name the place: its reads end in any order, and only their number matters.
void Ring::take(const ReadOutcome& outcome) {
  under_way_--;
  ended_++;
  Place& read = place(outcome.id);
  read.ended++;
  if (outcome.status || read.failure) return;
  read.failure = Status(outcome.status.error())
                     .with_context("unit " + source_.parts()[order_[read.slot]].name);
}

// False once the ring is to end. Otherwise at least one read is under way.
bool Ring::issue_all(ReadQueue& queue) {
  std::vector<ReadRequest> requests;
  {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      ReadRequest request;
      while (under_way_ < depth() && next_read(request)) {
        under_way_++;
        requests.push_back(request);
      }
      stats_.most_under_way = std::max(stats_.most_under_way, under_way_);
      if (under_way_ > 0) break;
      for_reader_.wait(lock);
    }
    if (stop_) return false;
  }
  for (const ReadRequest& request : requests) queue.submit(request);
  return true;
}

void Ring::run(Env& env) {
  auto queue = open_queue(env);
  {
    const std::lock_guard lock(mutex_);
    if (queue) description_ = (*queue)->description();
    opened_ = queue ? Result<void>() : std::unexpected(queue.error());
  }
  for_consumer_.notify_all();
  if (!queue) return;
  std::vector<ReadOutcome> outcomes;
  while (issue_all(**queue)) {
    outcomes.clear();
    (*queue)->wait(outcomes);
    bool arrived = false;
    {
      const std::lock_guard lock(mutex_);
      for (const ReadOutcome& outcome : outcomes) take(outcome);
      give_back();
      arrived = awaited_is_read();
    }
    // Only then: a consumer woken for every request takes the core that the next one needs.
    if (arrived) for_consumer_.notify_one();
  }
}

}  // namespace strata::memory
