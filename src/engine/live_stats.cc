// The flag is the question; the lock is only for the answer.
#include "engine/live_stats.h"

#include <utility>

namespace strata::engine {

std::optional<std::string> LiveStats::ask(std::chrono::milliseconds patience,
                                          std::optional<int64_t> memory_bytes) {
  std::unique_lock lock(mutex_);
  answer_.reset();
  if (stopped_) return std::nullopt;
  memory_bytes_ = memory_bytes;
  wanted_ = true;
  if (on_ask_) on_ask_();
  changed_.wait_for(lock, patience, [this] { return answer_ || stopped_; });
  wanted_ = false;
  return std::exchange(answer_, std::nullopt);
}

std::optional<int64_t> LiveStats::memory_wanted() {
  const std::lock_guard lock(mutex_);
  return std::exchange(memory_bytes_, std::nullopt);
}

void LiveStats::on_ask(std::function<void()> call) {
  const std::lock_guard lock(mutex_);
  on_ask_ = std::move(call);
}

void LiveStats::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
}

void LiveStats::answer(std::string text) {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = false;
    answer_ = std::move(text);
  }
  changed_.notify_all();
}

}  // namespace strata::engine
