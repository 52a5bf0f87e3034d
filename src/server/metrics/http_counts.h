// How many connections are open and how requests were answered, counted by connections and read by
// whoever asks. Knows no HTTP but the numbers of statuses.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace strata::server {

/// From any thread.
class HttpCounts {
 public:
  static constexpr size_t kStatuses = 600;

  void open() { connections_.fetch_add(1, std::memory_order_relaxed); }
  void close() { connections_.fetch_sub(1, std::memory_order_relaxed); }
  void answer(int status, int64_t sent_bytes) {
    const auto number = static_cast<size_t>(status);
    answers_[number < kStatuses ? number : 0].fetch_add(1, std::memory_order_relaxed);
    sent_bytes_.fetch_add(sent_bytes, std::memory_order_relaxed);
  }

  int64_t connections() const { return connections_.load(std::memory_order_relaxed); }
  int64_t answers(size_t status) const { return answers_[status].load(std::memory_order_relaxed); }
  int64_t sent_bytes() const { return sent_bytes_.load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<int64_t>, kStatuses> answers_{};
  std::atomic<int64_t> connections_ = 0;
  std::atomic<int64_t> sent_bytes_ = 0;
};

}  // namespace strata::server
