// Signals that were notified and whose coroutines have not heard of it yet, of all connections of
// an io_context. A step of the engine has news for hundreds of streams: the first one wakes a
// thread, and the others wait in line for it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <memory>
#include <mutex>

namespace strata::server {

namespace asio = boost::asio;

class Signal;

/// A service of the io_context: ends with it.
class WakeQueue : public asio::execution_context::service {
 public:
  using key_type = WakeQueue;
  static inline asio::execution_context::id id;
  explicit WakeQueue(asio::execution_context& context);

  /// The one of the io_context that the executor belongs to.
  static WakeQueue& of(const asio::any_io_executor& executor);

  /// From any thread: signal->raise() is called on its executor, in the order of these calls.
  void add(std::shared_ptr<Signal> signal);

 private:
  void shutdown() override;
  void drain();
  void post_drain();

  asio::io_context& io_;
  std::mutex mutex_;
  std::deque<std::shared_ptr<Signal>> signals_;  // a drain is posted where there are any
};

}  // namespace strata::server
