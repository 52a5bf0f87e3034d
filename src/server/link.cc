// Asio's operations, one deadline at a time.
#include "server/link.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

namespace strata::server {
namespace {

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr size_t kReadPiece = 8 << 10;
constexpr size_t kWritePiece = 64 << 10;
constexpr size_t kMostAhead = 64 << 10;  // of what a client sends while it waits for an answer
constexpr size_t kMostDropped = 1 << 20;
constexpr std::chrono::milliseconds kFinish{2000};

using Failure = boost::system::error_code;

}  // namespace

Link::Link(Socket socket, std::chrono::milliseconds write_timeout)
    : socket_(std::move(socket)), deadline_(socket_.get_executor()), write_timeout_(write_timeout) {
  Failure ignored;
  socket_.non_blocking(true, ignored);
}

// Most operations find what they want at once: the timer is set by the first one that waits.
void Link::arm(std::chrono::milliseconds limit) {
  disarm();
  expired_ = false;
  armed_until_ = std::chrono::steady_clock::now() + limit;
}

void Link::disarm() {
  armed_until_.reset();
  if (!std::exchange(timer_set_, false)) return;
  timers_++;
  deadline_.cancel();
}

void Link::set_timer() {
  timer_set_ = true;
  deadline_.expires_at(*armed_until_);
  deadline_.async_wait([self = shared_from_this(), turn = ++timers_](Failure failure) {
    if (failure || turn != self->timers_) return;
    self->expired_ = true;
    Failure ignored;
    self->socket_.cancel(ignored);
  });
}

void Link::use_tls(std::shared_ptr<const TlsContext> context, const std::string& server_name) {
  tls_.emplace(socket_, std::move(context), server_name);
}

asio::awaitable<bool> Link::shake_hands(std::chrono::milliseconds limit) {
  if (!tls_) co_return true;
  arm(limit);
  Transfer step = tls_->handshake();
  while (step.waits()) {
    const bool goes_on = co_await ready(step.next);
    if (!goes_on) break;
    step = tls_->handshake();
  }
  disarm();
  co_return step.next == Transfer::Next::kDone;
}

std::string Link::handshake_fault() const {
  if (expired_) return "the handshake took too long";
  const bool said = tls_ && tls_->heard() && !tls_->fault().empty();
  return said ? tls_->fault() : "the connection was closed";
}

bool Link::fall_back_to_plain() {
  if (!tls_ || !tls_->spoke_http()) return false;
  tls_.reset();
  return true;
}

Transfer Link::read_now(char* to, size_t size) {
  if (tls_) return tls_->read(to, size);
  Failure failure;
  const size_t count = socket_.read_some(asio::buffer(to, size), failure);
  return transfer_of(failure, count, Transfer::Next::kReadable);
}

Transfer Link::write_now(std::string_view text) {
  if (tls_) return tls_->write(text);
  Failure failure;
  const size_t count = socket_.write_some(asio::buffer(text.data(), text.size()), failure);
  return transfer_of(failure, count, Transfer::Next::kWritable);
}

// By way of the stack: what an idle connection would keep of a buffer counts ten thousand times.
Transfer Link::append_now() {
  char piece[kReadPiece];
  const Transfer got = read_now(piece, kReadPiece);
  input_.append(piece, got.bytes);
  if (got.next == Transfer::Next::kEnded) ended_ = true;
  return got;
}

bool Link::receive_now() { return append_now().next == Transfer::Next::kDone; }

// False where the deadline has passed, or the socket is closed.
asio::awaitable<bool> Link::ready(Transfer::Next direction) {
  if (expired_) co_return false;
  if (armed_until_ && !timer_set_) set_timer();
  const auto kind = direction == Transfer::Next::kReadable ? Socket::wait_read : Socket::wait_write;
  const auto [failure] = co_await socket_.async_wait(kind, kResult);
  co_return !failure && !expired_;
}

// Records of TLS may say nothing to a reader.
asio::awaitable<Received> Link::readable() {
  for (;;) {
    if (tls_ && !tls_->peek().waits()) co_return Received::kData;
    const bool readable = co_await ready(Transfer::Next::kReadable);
    if (!readable) co_return expired_ ? Received::kTimeout : Received::kClosed;
    if (!tls_) co_return Received::kData;
  }
}

asio::awaitable<Received> Link::receive() {
  for (;;) {
    if (expired_) co_return Received::kTimeout;
    const Transfer got = append_now();
    if (got.next == Transfer::Next::kDone) co_return Received::kData;
    if (!got.waits()) co_return Received::kClosed;
    const bool goes_on = co_await ready(got.next);
    if (!goes_on) co_return expired_ ? Received::kTimeout : Received::kClosed;
  }
}

asio::awaitable<bool> Link::write(std::string_view text) {
  while (!text.empty() && !gone_) {
    const std::string_view piece = text.substr(0, std::min(text.size(), kWritePiece));
    const bool sent = co_await write_piece(piece);
    if (!sent) {
      gone_ = true;
      close_socket();
    }
    text.remove_prefix(piece.size());
  }
  co_return !gone_;
}

// What the system takes at once needs neither a timer nor a wait.
asio::awaitable<bool> Link::write_piece(std::string_view piece) {
  bool waited = false;
  bool sent = true;
  while (sent && !piece.empty()) {
    const Transfer put = write_now(piece);
    piece.remove_prefix(put.bytes);
    if (put.waits()) {
      if (!std::exchange(waited, true)) arm(write_timeout_);
      sent = co_await ready(put.next);
    } else {
      sent = put.next == Transfer::Next::kDone;
    }
  }
  if (waited) disarm();
  co_return sent;
}

asio::awaitable<Wake> Link::wait(Signal& signal, std::chrono::milliseconds limit) {
  waiting_ = signal.shared_from_this();
  if (!watching_) watch();
  if (!gone_ && !signal.raised() && half_closed_ == told_half_closed_) co_await signal.sleep(limit);
  waiting_.reset();
  if (gone_) co_return Wake::kGone;
  if (half_closed_ && !std::exchange(told_half_closed_, true)) co_return Wake::kHalfClosed;
  co_return signal.take() ? Wake::kSignal : Wake::kTimeout;
}

// Data is taken, so that what lies behind it can be seen; after an end only a failure is news.
void Link::watch() {
  if (gone_ || input_.size() > kMostAhead) return;
  watching_ = true;
  const auto kind = half_closed_ ? Socket::wait_error : Socket::wait_read;
  socket_.async_wait(kind, [self = shared_from_this(), turn = ++watches_](Failure failure) {
    if (turn != self->watches_) return;
    self->watching_ = false;
    if (!failure) self->take_news();
  });
}

void Link::take_news() {
  if (half_closed_) {
    gone_ = true;
    return wake_waiting();
  }
  const Transfer got = append_now();
  half_closed_ = got.next == Transfer::Next::kEnded;
  gone_ = gone_ || got.next == Transfer::Next::kFailed;
  if (gone_ || half_closed_) wake_waiting();
  if (waiting_ && !gone_) watch();
}

void Link::wake_waiting() {
  if (waiting_) waiting_->wake();
}

void Link::end_wait() {
  if (!std::exchange(watching_, false)) return;
  watches_++;
  Failure ignored;
  socket_.cancel(ignored);
}

asio::awaitable<void> Link::say_goodbye() {
  bool goes_on = tls_.has_value();
  while (goes_on) {
    const Transfer said = tls_->end();
    goes_on = said.waits();
    if (goes_on) goes_on = co_await ready(said.next);
  }
}

asio::awaitable<void> Link::finish() {
  Failure ignored;
  // Who has ended its side has nothing on the way that a close would answer with a reset.
  if (gone_ || ended_ || !socket_.is_open()) co_return close_socket();
  arm(kFinish);
  co_await say_goodbye();
  socket_.shutdown(Socket::shutdown_send, ignored);
  for (size_t dropped = 0; dropped < kMostDropped; dropped += input_.size()) {
    input_.clear();
    if (co_await receive() != Received::kData) break;
  }
  disarm();
  close_socket();
}

void Link::set_idle(bool idle) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  idle_since_ns_ = idle ? std::chrono::nanoseconds(now).count() : 0;
}

void Link::drain() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->draining_ = true;
    if (self->idle_since_ns_ != 0) self->close_socket();
  });
}

void Link::close_if_idle() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->idle_since_ns_ != 0) self->close_socket();
  });
}

void Link::close_soon() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->gone_ = true;
    self->wake_waiting();
    self->close_socket();
  });
}

void Link::close_socket() {
  disarm();
  Failure ignored;
  if (tls_ && socket_.is_open()) tls_->end();  // as far as the system takes it at once
  socket_.close(ignored);
}

}  // namespace strata::server
