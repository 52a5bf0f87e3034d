// Asio's operations, one deadline at a time.
#include "server/link.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
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

void Signal::notify() {
  if (posted_.exchange(true)) return;
  asio::post(timer_.get_executor(), [self = shared_from_this()] {
    self->posted_ = false;
    self->raise();
  });
}

void Signal::raise() {
  raised_ = true;
  timer_.cancel();
}

Link::Link(Socket socket, std::chrono::milliseconds write_timeout)
    : socket_(std::move(socket)), deadline_(socket_.get_executor()), write_timeout_(write_timeout) {
  Failure ignored;
  socket_.non_blocking(true, ignored);
}

void Link::arm(std::chrono::milliseconds limit) {
  expired_ = false;
  deadline_.expires_after(limit);
  deadline_.async_wait([self = shared_from_this(), turn = ++armed_](Failure failure) {
    if (failure || turn != self->armed_) return;
    self->expired_ = true;
    Failure ignored;
    self->socket_.cancel(ignored);
  });
}

void Link::disarm() {
  armed_++;
  deadline_.cancel();
}

asio::awaitable<Received> Link::readable() {
  const auto [failure] = co_await socket_.async_wait(Socket::wait_read, kResult);
  if (expired_) co_return Received::kTimeout;
  co_return failure ? Received::kClosed : Received::kData;
}

asio::awaitable<Received> Link::receive() {
  const size_t before = input_.size();
  input_.resize(before + kReadPiece);
  const auto [failure, count] =
      co_await socket_.async_read_some(asio::buffer(&input_[before], kReadPiece), kResult);
  input_.resize(before + count);
  if (expired_) co_return Received::kTimeout;
  co_return failure ? Received::kClosed : Received::kData;
}

// What the system takes at once needs neither a timer nor a wait.
asio::awaitable<bool> Link::write(std::string_view text) {
  Failure full;
  if (!gone_) text.remove_prefix(socket_.write_some(asio::buffer(text.data(), text.size()), full));
  while (!text.empty() && !gone_) {
    const std::string_view piece = text.substr(0, std::min(text.size(), kWritePiece));
    arm(write_timeout_);
    const auto [failure, count] =
        co_await asio::async_write(socket_, asio::buffer(piece.data(), piece.size()), kResult);
    disarm();
    if (failure) {
      gone_ = true;
      close_socket();
    }
    text.remove_prefix(count);
  }
  co_return !gone_;
}

asio::awaitable<Wake> Link::wait(Signal& signal, std::chrono::milliseconds limit) {
  waiting_ = signal.shared_from_this();
  if (!watching_) watch();
  if (!gone_ && !signal.raised_ && half_closed_ == told_half_closed_) {
    signal.timer_.expires_after(limit);
    co_await signal.timer_.async_wait(kResult);
  }
  waiting_.reset();
  if (gone_) co_return Wake::kGone;
  if (half_closed_ && !std::exchange(told_half_closed_, true)) co_return Wake::kHalfClosed;
  co_return std::exchange(signal.raised_, false) ? Wake::kSignal : Wake::kTimeout;
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
    return wake();
  }
  const size_t before = input_.size();
  input_.resize(before + kReadPiece);
  Failure failure;
  const size_t count = socket_.read_some(asio::buffer(&input_[before], kReadPiece), failure);
  input_.resize(before + count);
  if (failure == asio::error::eof) {
    half_closed_ = true;
  } else if (failure && failure != asio::error::would_block) {
    gone_ = true;
  }
  if (gone_ || half_closed_) wake();
  if (waiting_ && !gone_) watch();
}

void Link::wake() {
  if (waiting_) waiting_->timer_.cancel();
}

void Link::end_wait() {
  if (!std::exchange(watching_, false)) return;
  watches_++;
  Failure ignored;
  socket_.cancel(ignored);
}

asio::awaitable<void> Link::finish() {
  Failure ignored;
  if (gone_ || !socket_.is_open()) co_return close_socket();
  socket_.shutdown(Socket::shutdown_send, ignored);
  arm(kFinish);
  for (size_t dropped = 0; dropped < kMostDropped; dropped += input_.size()) {
    input_.clear();
    if (co_await receive() != Received::kData) break;
  }
  disarm();
  close_socket();
}

void Link::drain() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->draining_ = true;
    if (self->idle_) self->close_socket();
  });
}

void Link::close_soon() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->gone_ = true;
    self->wake();
    self->close_socket();
  });
}

void Link::close_socket() {
  disarm();
  Failure ignored;
  socket_.close(ignored);
}

}  // namespace strata::server
