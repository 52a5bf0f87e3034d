// One post for many signals, and their handlers in place of a post for each.
#include "server/wake/wake_queue.h"

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "server/wake/signal.h"

namespace strata::server {
namespace {

// A thread takes so many before it looks at sockets again; meanwhile others take theirs. A post,
// about 2 us, is then little beside the writes of a turn, about 7 us each.
constexpr ptrdiff_t kTurn = 16;

}  // namespace

WakeQueue::WakeQueue(asio::execution_context& context)
    : service(context), io_(static_cast<asio::io_context&>(context)) {}

WakeQueue& WakeQueue::of(const asio::any_io_executor& executor) {
  return asio::use_service<WakeQueue>(asio::query(executor, asio::execution::context));
}

void WakeQueue::add(std::shared_ptr<Signal> signal) {
  {
    const std::lock_guard lock(mutex_);
    signals_.push_back(std::move(signal));
    if (signals_.size() > 1) return;
  }
  post_drain();
}

void WakeQueue::post_drain() {
  asio::post(io_, [this] { drain(); });
}

void WakeQueue::drain() {
  std::vector<std::shared_ptr<Signal>> turn;
  {
    const std::lock_guard lock(mutex_);
    const auto end = signals_.begin() + std::min(std::ssize(signals_), kTurn);
    turn.assign(std::move_iterator(signals_.begin()), std::move_iterator(end));
    signals_.erase(signals_.begin(), end);
    if (!signals_.empty()) post_drain();
  }
  for (std::shared_ptr<Signal>& signal : turn) {
    const auto executor = signal->timer_.get_executor();
    asio::dispatch(executor, [signal = std::move(signal)] { signal->raise(); });
  }
}

void WakeQueue::shutdown() { signals_.clear(); }

}  // namespace strata::server
