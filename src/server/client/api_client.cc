// Beast frames the answer; what has come of a body is taken from it after each read, so that events
// are seen when they arrive.
#include "server/client/api_client.h"

#include <fmt/core.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>
#include <utility>
#include <vector>

namespace strata::server {
namespace {

namespace http = boost::beast::http;
using Failure = boost::system::error_code;
using Endpoint = asio::generic::stream_protocol::endpoint;
using Parser = http::response_parser<http::string_body>;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kConnectPatience{10'000};
constexpr size_t kMaxBody = 64 << 20;
constexpr size_t kMaxHead = 64 << 10;
constexpr std::string_view kTrustHint =
    " (--cacert FILE names who signed its certificate, --insecure trusts anybody)";

ApiAnswer faulty(CallFault fault, std::string detail) {
  return {.fault = fault, .detail = std::move(detail)};
}

// Frames that a socket has taken: the head and the body so far.
struct Reading {
  Parser parser;
  SseReader events;
  ApiAnswer answer;
  bool streams = false;

  Reading() {
    parser.eager(true);
    parser.header_limit(static_cast<uint32_t>(kMaxHead));
    parser.body_limit(std::numeric_limits<uint64_t>::max());
  }
};

void take_body(Reading& reading, const EventSink& sink) {
  if (!reading.parser.is_header_done()) return;
  if (reading.answer.status == 0) {
    reading.answer.status = static_cast<int>(reading.parser.get().result_int());
    const auto type = reading.parser.get()[http::field::content_type];
    reading.streams = type.starts_with("text/event-stream");
  }
  std::string& body = reading.parser.get().body();
  if (reading.streams) {
    reading.events.feed(body, sink);
  } else {
    reading.answer.body += body;
  }
  body.clear();
}

// Interim answers are none: what follows one is read from its start.
bool is_interim(const Parser& parser) {
  return parser.is_done() && parser.get().result_int() / 100 == 1;
}

// Empty where all is well.
std::string take_input(std::unique_ptr<Reading>& reading, std::string& input,
                       const EventSink& sink) {
  while (!input.empty() && !reading->parser.is_done()) {
    Failure failure;
    const size_t taken = reading->parser.put(asio::buffer(input), failure);
    input.erase(0, taken);
    if (failure && failure != http::error::need_more) return failure.message();
    if (is_interim(reading->parser)) {
      reading = std::make_unique<Reading>();
      continue;
    }
    take_body(*reading, sink);
    if (reading->events.too_long() || reading->answer.body.size() > kMaxBody) return "too long";
    if (failure == http::error::need_more && taken == 0) break;
  }
  return "";
}

struct Connecting {
  asio::generic::stream_protocol::socket socket;
  asio::steady_timer deadline;
  explicit Connecting(const asio::any_io_executor& executor)
      : socket(executor), deadline(executor) {}
};

void give_up_later(const std::shared_ptr<Connecting>& connecting) {
  connecting->deadline.expires_after(kConnectPatience);
  connecting->deadline.async_wait([weak = std::weak_ptr(connecting)](Failure failure) {
    const auto late = weak.lock();
    Failure ignored;
    if (!failure && late) late->socket.close(ignored);
  });
}

}  // namespace

std::string_view fault_name(CallFault fault) {
  constexpr std::string_view kNames[] = {"none", "connect", "timeout", "closed", "protocol"};
  return kNames[static_cast<size_t>(fault)];
}

ApiClient::ApiClient(asio::any_io_executor executor, const Config& config)
    : executor_(std::move(executor)), config_(config) {}

void ApiClient::stop() {
  stopped_ = true;
  if (link_) link_->close_soon();
}

std::string ApiClient::text_of(const ApiCall& call) const {
  std::string text =
      fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nUser-Agent: strata\r\n",
                  call.method, config_.url.prefix, call.path, config_.url.authority());
  if (!config_.key.empty()) text += fmt::format("Authorization: Bearer {}\r\n", config_.key);
  if (call.method == "GET") return text + "\r\n";
  return text + fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                            call.body.size(), call.body);
}

asio::awaitable<ApiAnswer> ApiClient::call(ApiCall call, const EventSink& sink) {
  const std::string text = text_of(call);
  stopped_ = false;
  const bool used = link_ != nullptr;
  ApiAnswer answer = co_await attempt(text, sink);
  // A server may have closed a connection that was kept open, before it saw the request.
  const bool stale = used && answer.fault == CallFault::kClosed && answer.status == 0;
  if (stale && !stopped_) answer = co_await attempt(text, sink);
  co_return answer;
}

asio::awaitable<ApiAnswer> ApiClient::attempt(const std::string& text, const EventSink& sink) {
  if (!link_) {
    std::string refused = co_await connect();
    if (!refused.empty()) co_return faulty(CallFault::kConnect, std::move(refused));
    if (stopped_) co_return faulty(CallFault::kClosed, "stopped");
  }
  if (!co_await link_->write(text)) {
    link_.reset();
    co_return faulty(CallFault::kClosed, "the connection was closed");
  }
  ApiAnswer answer = co_await read(sink);
  if (answer.fault != CallFault::kNone && link_) {
    link_->close_soon();
    link_.reset();
  }
  co_return answer;
}

// What was in the way; empty where there is a connection.
asio::awaitable<std::string> ApiClient::connect() {
  const ApiUrl& url = config_.url;
  std::vector<Endpoint> endpoints;
  if (url.host.empty()) {
    endpoints.emplace_back(asio::local::stream_protocol::endpoint(url.socket));
  } else {
    asio::ip::tcp::resolver resolver(executor_);
    auto [failure, found] = co_await resolver.async_resolve(url.host, url.port, kResult);
    if (failure) co_return failure.message();
    for (const auto& entry : found) endpoints.emplace_back(entry.endpoint());
  }
  std::string why;
  for (const Endpoint& endpoint : endpoints) {
    const auto connecting = std::make_shared<Connecting>(executor_);
    give_up_later(connecting);
    auto [failure] = co_await connecting->socket.async_connect(endpoint, kResult);
    connecting->deadline.cancel();
    why = failure ? failure.message() : "";
    if (failure) continue;
    Failure ignored;
    connecting->socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    link_ = std::make_shared<Link>(std::move(connecting->socket), config_.patience);
    if (url.tls) why = co_await secure();
    break;
  }
  co_return why;
}

asio::awaitable<std::string> ApiClient::secure() {
  link_->use_tls(config_.tls, config_.url.host);
  const bool done = co_await link_->shake_hands(kConnectPatience);
  if (done) co_return "";
  std::string fault = fmt::format("no TLS with {}: {}", config_.url.host, link_->handshake_fault());
  if (link_->distrusts_peer()) fault += kTrustHint;
  link_->close_soon();
  link_.reset();
  co_return fault;
}

asio::awaitable<ApiAnswer> ApiClient::read(const EventSink& sink) {
  auto reading = std::make_unique<Reading>();
  while (!reading->parser.is_done()) {
    link_->arm(config_.patience);
    const Received got = co_await link_->receive();
    link_->disarm();
    if (got == Received::kTimeout) co_return faulty(CallFault::kTimeout, "no answer for too long");
    if (got == Received::kClosed) {
      Failure failure;
      // A body that ends with its connection is whole only where the server ended it.
      const bool ends = reading->parser.got_some() && link_->ended();
      if (ends) reading->parser.put_eof(failure);
      if (!reading->parser.is_done() || failure) {
        ApiAnswer broken = faulty(CallFault::kClosed, "the connection was closed");
        broken.status = reading->answer.status;
        co_return broken;
      }
      break;
    }
    std::string wrong = take_input(reading, link_->input(), sink);
    if (!wrong.empty()) co_return faulty(CallFault::kProtocol, std::move(wrong));
  }
  if (!reading->parser.keep_alive()) {
    link_->close_soon();
    link_.reset();
  }
  co_return std::move(reading->answer);
}

}  // namespace strata::server
