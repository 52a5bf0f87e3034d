// Heads, chunks, and how a client that may have gone is asked.
#include "server/exchange.h"

#include <fmt/core.h>

#include <utility>

namespace strata::server {
namespace {

constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";
constexpr std::string_view kPing = ": ping\n\n";
constexpr std::string_view kInterim = "HTTP/1.1 102 Processing\r\n\r\n";

}  // namespace

Exchange::Exchange(std::shared_ptr<Link> link, Request request, std::vector<Field> fields)
    : link_(std::move(link)),
      request_(std::move(request)),
      fields_(std::move(fields)),
      keep_alive_(request_.head.keep_alive) {}

std::string Exchange::head_text(int status, std::string_view content_type,
                                std::string_view framing) {
  const bool whole = body_ == nullptr || body_->done();
  keep_alive_ = keep_alive_ && whole && !link_->draining();
  status_ = status;
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  if (!content_type.empty()) text += fmt::format("Content-Type: {}\r\n", content_type);
  text += framing;
  for (const Field& field : fields_) text += fmt::format("{}: {}\r\n", field.name, field.value);
  text += keep_alive_ ? "" : "Connection: close\r\n";
  return text + "\r\n";
}

asio::awaitable<void> Exchange::reply(Reply reply) {
  for (Field& field : reply.fields) fields_.push_back(std::move(field));
  const bool empty = reply.status == 204 || reply.status == 304;
  const std::string length = empty ? "" : fmt::format("Content-Length: {}\r\n", reply.body.size());
  std::string text = head_text(reply.status, empty ? "" : reply.content_type, length);
  if (request_.head.method != "HEAD") text += reply.body;
  sent_bytes_ += static_cast<int64_t>(text.size());
  co_await link_->write(text);
}

asio::awaitable<std::expected<std::string, HttpError>> Exchange::next_piece() {
  return body_->timed_piece();
}

asio::awaitable<bool> Exchange::begin_bytes(std::string content_type, uint64_t length) {
  const std::string text =
      head_text(200, content_type, fmt::format("Content-Length: {}\r\n", length));
  sent_bytes_ += static_cast<int64_t>(text.size());
  const bool there = co_await link_->write(text);
  co_return there&& request_.head.method != "HEAD";
}

asio::awaitable<bool> Exchange::send_bytes(std::string_view bytes) {
  sent_bytes_ += static_cast<int64_t>(bytes.size());
  return link_->write(bytes);
}

asio::awaitable<bool> Exchange::begin_stream() {
  streaming_ = true;
  keep_alive_ = keep_alive_ && request_.head.http11;
  fields_.push_back({"Cache-Control", "no-cache"});
  fields_.push_back({"X-Accel-Buffering", "no"});
  const std::string text =
      head_text(200, kEventStream, request_.head.http11 ? "Transfer-Encoding: chunked\r\n" : "");
  sent_bytes_ += static_cast<int64_t>(text.size());
  co_return co_await link_->write(text);
}

asio::awaitable<bool> Exchange::send(std::string_view events) {
  const std::string text = request_.head.http11
                               ? fmt::format("{:x}\r\n{}\r\n", events.size(), events)
                               : std::string(events);
  sent_bytes_ += static_cast<int64_t>(text.size());
  co_return co_await link_->write(text);
}

asio::awaitable<bool> Exchange::end_stream() {
  if (!request_.head.http11) co_return !link_->gone();
  co_return co_await link_->write("0\r\n\r\n");
}

// A client that closed its socket answers whatever is written with a reset; one that only ended its
// side takes a comment, or an interim response (RFC 9110, section 15.2), and ignores it.
asio::awaitable<bool> Exchange::probe() {
  if (streaming_) co_return co_await send(kPing);
  if (!request_.head.http11) co_return true;
  co_return co_await link_->write(kInterim);
}

asio::awaitable<Wake> Exchange::wait(Signal& signal, std::chrono::milliseconds limit) {
  const Wake woken = co_await link_->wait(signal, limit);
  if (woken != Wake::kHalfClosed) co_return woken;
  const bool there = co_await probe();
  co_return there ? Wake::kTimeout : Wake::kGone;
}

}  // namespace strata::server
