// One connection, plain or with TLS: reads with deadlines, writes that a slow reader cannot hold
// for ever, and the watch that notices a client who has gone while an answer is made. Between the
// operating system, or tls/, and the HTTP of connection.h; it knows no protocol above.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http_types.h"
#include "server/tls/tls_stream.h"
#include "server/tls/transfer.h"
#include "server/wake/signal.h"

namespace strata::server {

namespace asio = boost::asio;

enum class Received : uint8_t { kData, kClosed, kTimeout };
enum class Wake : uint8_t { kSignal, kTimeout, kHalfClosed, kGone };

/// All calls but those that say so come from the link's executor, a strand.
class Link : public std::enable_shared_from_this<Link> {
 public:
  using Socket = StreamSocket;
  Link(Socket socket, std::chrono::milliseconds write_timeout);

  /// Before anything else: what is sent and received goes through TLS. `server_name`: a client's,
  /// of whom it means to talk to.
  void use_tls(std::shared_ptr<const TlsContext> context, const std::string& server_name = {});
  bool has_tls() const { return tls_.has_value(); }
  /// TLS's handshake; true at once without TLS. What was in the way: handshake_fault().
  asio::awaitable<bool> shake_hands(std::chrono::milliseconds limit);
  std::string handshake_fault() const;
  /// The other side has sent something.
  bool heard_peer() const { return tls_ && tls_->heard(); }
  /// It was the other side's certificate.
  bool distrusts_peer() const { return tls_ && tls_->distrusts(); }
  /// Where a client spoke plain HTTP instead: what follows is plain too. False where it did not.
  bool fall_back_to_plain();

  asio::any_io_executor executor() { return socket_.get_executor(); }
  /// What was received and not yet taken.
  std::string& input() { return input_; }

  /// From now on reads fail with kTimeout after so long. Costs little where none has to wait.
  void arm(std::chrono::milliseconds limit);
  void disarm();
  /// Appends to input() what has come already, without waiting. False where that is nothing; an
  /// end is left for the next read to find.
  bool receive_now();
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
  /// The other side has ended its stream in order: with TLS, by a goodbye that nobody can forge.
  bool ended() const { return ended_; }
  /// Between requests; drain() and close_if_idle() then close.
  void set_idle(bool idle);
  /// Nanoseconds of the steady clock since when; 0: it is not. From any thread.
  int64_t idle_since_ns() const { return idle_since_ns_.load(std::memory_order_relaxed); }
  bool draining() const { return draining_; }
  /// From any thread: no further request is read.
  void drain();
  /// From any thread: somebody else needs the place more.
  void close_if_idle();
  /// From any thread: gives up.
  void close_soon();

 private:
  Transfer read_now(char* to, size_t size);
  Transfer write_now(std::string_view text);
  Transfer append_now();
  asio::awaitable<bool> ready(Transfer::Next direction);
  asio::awaitable<bool> write_piece(std::string_view piece);
  asio::awaitable<void> say_goodbye();
  void watch();
  void take_news();
  void wake_waiting();
  void close_socket();
  void set_timer();

  Socket socket_;
  std::optional<TlsStream> tls_;  // uses the socket
  asio::steady_timer deadline_;
  std::chrono::milliseconds write_timeout_;
  std::string input_;
  std::shared_ptr<Signal> waiting_;
  std::optional<std::chrono::steady_clock::time_point> armed_until_;
  // Counts, so that what comes late knows that it does.
  int64_t timers_ = 0;
  int64_t watches_ = 0;
  bool timer_set_ = false;
  bool expired_ = false;
  bool watching_ = false;
  bool half_closed_ = false;
  bool told_half_closed_ = false;
  bool gone_ = false;
  bool ended_ = false;
  std::atomic<int64_t> idle_since_ns_ = 0;
  bool draining_ = false;
};

}  // namespace strata::server
