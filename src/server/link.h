// One connection's socket: reads with deadlines, writes that a slow reader cannot hold for ever,
// and the watch that notices a client who has gone while an answer is made. Between the operating
// system and the HTTP of connection.h; it knows no protocol.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "server/http_types.h"

namespace strata::server {

namespace asio = boost::asio;

/// Wakes a coroutine that waits on a link; notify() may come from any thread, and any number of
/// calls before the coroutine runs are one.
class Signal : public std::enable_shared_from_this<Signal> {
 public:
  explicit Signal(const asio::any_io_executor& executor) : timer_(executor) {}
  void notify();

 private:
  friend class Link;
  void raise();

  asio::steady_timer timer_;
  std::atomic<bool> posted_ = false;
  bool raised_ = false;
};

enum class Received : uint8_t { kData, kClosed, kTimeout };
enum class Wake : uint8_t { kSignal, kTimeout, kHalfClosed, kGone };

/// All calls but close_soon() and drain() come from the link's executor, a strand.
class Link : public std::enable_shared_from_this<Link> {
 public:
  using Socket = asio::generic::stream_protocol::socket;
  Link(Socket socket, std::chrono::milliseconds write_timeout);

  asio::any_io_executor executor() { return socket_.get_executor(); }
  /// What was received and not yet taken.
  std::string& input() { return input_; }

  /// From now on reads fail with kTimeout after so long.
  void arm(std::chrono::milliseconds limit);
  void disarm();
  /// Until something can be read, without a buffer: an idle connection costs little.
  asio::awaitable<Received> readable();
  /// Appends to input().
  asio::awaitable<Received> receive();
  /// False where the client has gone or reads too slowly.
  asio::awaitable<bool> write(std::string_view text);
  /// kHalfClosed once where the client has ended its side: it may still read, or have gone; what is
  /// written next tells, as kGone.
  asio::awaitable<Wake> wait(Signal& signal, std::chrono::milliseconds limit);
  /// Before the next request is read.
  void end_wait();
  /// Lets the client read what was written, whatever it still sends.
  asio::awaitable<void> finish();

  bool gone() const { return gone_; }
  /// Between requests; drain() then closes.
  void set_idle(bool idle) { idle_ = idle; }
  bool draining() const { return draining_; }
  /// From any thread: no further request is read.
  void drain();
  /// From any thread: gives up.
  void close_soon();

 private:
  void watch();
  void take_news();
  void wake();
  void close_socket();

  Socket socket_;
  asio::steady_timer deadline_;
  std::chrono::milliseconds write_timeout_;
  std::string input_;
  std::shared_ptr<Signal> waiting_;
  // Counts, so that what comes late knows that it does.
  int64_t armed_ = 0;
  int64_t watches_ = 0;
  bool expired_ = false;
  bool watching_ = false;
  bool half_closed_ = false;
  bool told_half_closed_ = false;
  bool gone_ = false;
  bool idle_ = false;
  bool draining_ = false;
};

}  // namespace strata::server
