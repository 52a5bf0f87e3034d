// What a coroutine sleeps on until another thread has news for it, or a time has passed. Between
// whoever has news (the engine's thread, mostly) and a link; it knows neither.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace strata::server {

namespace asio = boost::asio;

class WakeQueue;

/// Held by a shared_ptr. Calls but notify() come from its executor, a strand of an io_context.
class Signal : public std::enable_shared_from_this<Signal> {
 public:
  explicit Signal(const asio::any_io_executor& executor);

  /// From any thread; any number of calls before the coroutine runs are one.
  void notify();

  /// It was notified since the last take().
  bool raised() const { return raised_; }
  bool take() { return std::exchange(raised_, false); }
  /// Until it is notified or woken, or `limit` has passed. One coroutine at a time, which holds the
  /// signal while it sleeps, and is destroyed where the io_context ends before the sleep does.
  asio::awaitable<void> sleep(std::chrono::milliseconds limit);
  /// Ends the sleep under way, soon, with nothing to take.
  void wake();

 private:
  using Clock = std::chrono::steady_clock;
  friend class WakeQueue;
  struct Keep;
  class TimerEnd;
  void raise();
  void resume();
  void set_timer();
  void hear_timer();

  WakeQueue& queue_;
  asio::steady_timer timer_;
  std::move_only_function<void()> sleeper_;  // goes on with the coroutine
  Clock::time_point until_;                  // when its sleep ends
  int64_t sleeps_ = 0;
  int64_t timers_ = 0;  // so that one that was set anew knows that it was
  bool timer_set_ = false;
  bool raised_ = false;
  std::atomic<bool> queued_ = false;
};

}  // namespace strata::server
