// Questions to a running engine: another thread asks for its statistics or for a lower ceiling, the
// step loop answers after its next step. Between the engine, whose state only its own thread may
// touch, and whoever looks at it or orders it about from outside. The loop pays one look at a flag
// a step.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace strata::engine {

class LiveStats {
 public:
  /// The statistics; with `memory_bytes`, what became of the wish for that ceiling. From one thread
  /// at a time, not the engine's. Nothing where no step ends for so long, or after stop().
  std::optional<std::string> ask(std::chrono::milliseconds patience,
                                 std::optional<int64_t> memory_bytes = {});
  /// ask() returns at once from now on.
  void stop();

  /// `call` runs on the thread that asks: it wakes a loop that sleeps while there are no steps.
  void on_ask(std::function<void()> call);

  /// For the engine's thread.
  bool wanted() const { return wanted_.load(std::memory_order_relaxed); }
  /// The ceiling that was asked for, where it was not the statistics.
  std::optional<int64_t> memory_wanted();
  void answer(std::string text);

 private:
  std::atomic<bool> wanted_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<int64_t> memory_bytes_;
  std::optional<std::string> answer_;
  bool stopped_ = false;
  std::function<void()> on_ask_;
};

}  // namespace strata::engine
