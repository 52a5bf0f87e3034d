// A stream sleeps and wakes for every token. So the sleeper is kept here and called, where a timer
// that is cancelled would go through the reactor; and the timer stays as it was set until it fires,
// which it mostly does too early: then it is set for the rest.
#include "server/wake/signal.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "server/wake/wake_queue.h"

namespace strata::server {

// Takes the coroutine's handler in.
struct Signal::Keep {
  Signal* signal;
  template <class Handler>
  void operator()(Handler&& handler) const {
    signal->sleeper_ = std::forward<Handler>(handler);
  }
};

// The timer is set for as long as anybody sleeps. An io_context that ends destroys it unheard: then
// the sleeper goes too, which nobody else would destroy, as it holds the signal that holds it.
class Signal::TimerEnd {
 public:
  TimerEnd(std::weak_ptr<Signal> signal, int64_t turn) : signal_(std::move(signal)), turn_(turn) {}
  TimerEnd(TimerEnd&&) = default;
  ~TimerEnd() {
    if (const auto signal = signal_.lock()) std::exchange(signal->sleeper_, {});
  }
  void operator()(boost::system::error_code) {
    const auto signal = std::exchange(signal_, {}).lock();
    if (signal && turn_ == signal->timers_) signal->hear_timer();
  }

 private:
  std::weak_ptr<Signal> signal_;
  int64_t turn_;
};

Signal::Signal(const asio::any_io_executor& executor)
    : queue_(WakeQueue::of(executor)), timer_(executor) {}

void Signal::notify() {
  if (!queued_.exchange(true)) queue_.add(shared_from_this());
}

asio::awaitable<void> Signal::sleep(std::chrono::milliseconds limit) {
  sleeps_++;
  until_ = Clock::now() + limit;
  if (!timer_set_ || timer_.expiry() > until_) set_timer();
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(Keep{this},
                                                                     asio::use_awaitable);
}

void Signal::wake() {
  asio::post(timer_.get_executor(), [self = shared_from_this(), sleep = sleeps_] {
    if (sleep == self->sleeps_) self->resume();
  });
}

void Signal::raise() {
  queued_ = false;
  raised_ = true;
  resume();
}

void Signal::resume() {
  if (sleeper_) std::exchange(sleeper_, {})();
}

// Whoever sleeps holds the signal; a timer alone keeps none.
void Signal::set_timer() {
  timer_set_ = true;
  timer_.expires_at(until_);
  timer_.async_wait(TimerEnd(weak_from_this(), ++timers_));
}

void Signal::hear_timer() {
  timer_set_ = false;
  if (!sleeper_) return;
  if (Clock::now() < until_) return set_timer();
  resume();
}

}  // namespace strata::server
