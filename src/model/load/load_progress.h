// What the threads of a load tell each other: bytes done, and the first failure, which stops all.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "base/status.h"

namespace strata::model {

/// Every method but finish() may be called by many threads at once.
class LoadProgress {
 public:
  /// `show`: LoadOptions::progress, which may be empty and must outlive this.
  LoadProgress(const std::function<void(int64_t, int64_t)>& show, int64_t total)
      : show_(show), total_(total) {}

  bool stopped() const { return stop_.load(std::memory_order_relaxed); }

  void stop(const Status& status) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = status;
    stop_ = true;
  }

  void add(int64_t bytes) {
    const int64_t done = done_.fetch_add(bytes) + bytes;
    if (done / kShownBytes != (done - bytes) / kShownBytes) show(done);
  }

  Result<void> finish() {
    if (failure_) return std::unexpected(std::move(*failure_));
    show(total_);
    return {};
  }

 private:
  // It is shown at most once for so many bytes.
  static constexpr int64_t kShownBytes = 32 << 20;

  void show(int64_t done) {
    if (!show_) return;
    const std::lock_guard lock(mutex_);
    shown_ = std::max(shown_, done);  // two threads may arrive here in either order
    show_(shown_, total_);
  }

  const std::function<void(int64_t, int64_t)>& show_;
  int64_t total_;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> done_ = 0;
  std::mutex mutex_;
  int64_t shown_ = 0;
  std::optional<Status> failure_;
};

}  // namespace strata::model
