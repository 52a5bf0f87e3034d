// Reading stops at the first thing that is wrong: what a refused request still sends is never
// taken for another one.
#include "server/connection.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "frontend/openai_response.h"
#include "server/body_reader.h"
#include "server/exchange.h"
#include "server/http_head.h"

#include <malloc.h>

namespace strata::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr size_t kMaxIdBytes = 128;

// Where a connection stands after an attempt to read.
enum class Next : uint8_t { kGo, kClose };

struct ReadHead {
  Next next = Next::kClose;
  std::string text = {};  // of the head, up to its empty line
  std::optional<HttpError> error = {};
};

HttpError head_too_slow() { return {408, "request_timeout", "the head took too long"}; }

ReadHead refused_head(HttpError error) { return {.error = std::move(error)}; }

HttpError head_too_large() { return {431, "header_too_large", "the head is too large"}; }

// Lists are made outside of coroutines: GCC 12 cannot initialise them inside.
HttpError overloaded() {
  return {503, "overloaded", "too many large requests at once", {{"Retry-After", "1"}}};
}

HttpError too_many_connections() {
  return {503, "too_many_connections", "too many connections are open", {{"Retry-After", "1"}}};
}

HttpError needs_https() {
  return {400, "https_required", "this port speaks TLS: use https:// in place of http://"};
}

// `fresh`: of a new connection, whose first request has mostly come by the time it is accepted.
asio::awaitable<ReadHead> read_head(Link& link, const HttpLimits& limits, bool fresh) {
  std::string& input = link.input();
  if (input.empty() && !(fresh && link.receive_now())) {
    input = std::string();  // what an idle connection holds counts ten thousand times
    link.set_idle(true);
    link.arm(limits.idle_timeout);
    const Received first = co_await link.readable();
    link.disarm();
    link.set_idle(false);
    if (first != Received::kData) co_return ReadHead{};
  }
  link.arm(limits.head_timeout);
  for (;;) {
    const size_t end = input.find(kHeadEnd);
    const size_t size = end == std::string::npos ? input.size() : end + kHeadEnd.size();
    if (size > limits.head_bytes) co_return refused_head(head_too_large());
    if (end != std::string::npos) {
      link.disarm();
      co_return ReadHead{.next = Next::kGo, .text = input.substr(0, size)};
    }
    if (auto fault = check_head_start(input, limits)) co_return refused_head(std::move(*fault));
    const Received got = co_await link.receive();
    if (got == Received::kTimeout && !input.empty()) co_return refused_head(head_too_slow());
    if (got != Received::kData) co_return ReadHead{};
  }
}

// Gives back what a body has reserved of the memory for all of them.
class BodyCharge {
 public:
  explicit BodyCharge(std::atomic<int64_t>& all) : all_(all) {}
  BodyCharge(const BodyCharge&) = delete;
  BodyCharge& operator=(const BodyCharge&) = delete;
  ~BodyCharge() { all_ -= held_; }
  bool grow_to(int64_t bytes, int64_t most) {
    const int64_t more = std::max<int64_t>(0, bytes - held_);
    if (all_.fetch_add(more) + more > most) {
      all_ -= more;
      return false;
    }
    held_ += more;
    return true;
  }

 private:
  std::atomic<int64_t>& all_;
  int64_t held_ = 0;
};

asio::awaitable<std::optional<HttpError>> read_body(Link& link, ConnectionContext& context,
                                                    BodyCharge& charge, std::string& body) {
  const HttpLimits& limits = context.config.limits;
  // What has come is charged before more is read: a body that stops costs what it sent.
  const BodyReader::Sizes sizes{.most_bytes = limits.body_bytes, .piece_bytes = 1};
  BodyReader reader(link, limits, sizes);
  link.arm(limits.body_timeout);
  while (!reader.done()) {
    auto piece = co_await reader.next();
    if (!piece) co_return std::move(piece).error();
    body += *piece;
    const auto bytes = static_cast<int64_t>(body.size() + link.input().size());
    if (!charge.grow_to(bytes, limits.all_bodies_bytes)) co_return overloaded();
  }
  link.disarm();
  co_return std::nullopt;
}

// A large body is taken apart into many times its bytes; freed in the middle of the heap, they
// would stay the process's.
class HeapReturn {
 public:
  explicit HeapReturn(size_t body_bytes) : large_(body_bytes >= kLargeBody) {}
  HeapReturn(const HeapReturn&) = delete;
  HeapReturn& operator=(const HeapReturn&) = delete;
  ~HeapReturn() {
    if (large_) malloc_trim(0);
  }

 private:
  static constexpr size_t kLargeBody = 256 << 10;
  bool large_;
};

std::string host_name(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(0, host.find(']') + 1));
  return std::string(host.substr(0, host.find(':')));
}

std::optional<HttpError> check_host(const ConnectionContext& context, const Head& head) {
  const std::string* host = head.field("host");
  if (context.any_host || host == nullptr) return {};
  const std::string name = host_name(*host);
  const auto same = [&](const std::string& one) { return same_name(one, name) || one == "*"; };
  if (is_loopback(name) || std::ranges::any_of(context.config.allowed_hosts, same)) return {};
  return HttpError{403, "host_not_allowed",
                   "this host name is not served here: see --allowed-hosts"};
}

std::optional<HttpError> check_key(const ConnectionContext& context, const Head& head) {
  const ApiKeys& keys = context.config.keys;
  if (keys.empty() || keys.find_given(head)) return {};
  const bool none = head.field("authorization") == nullptr && head.field("x-api-key") == nullptr;
  // OpenAI's words for a wrong key: clients like litellm tell the error by them, not by the status.
  return HttpError{401,
                   "invalid_api_key",
                   none ? "no API key: send Authorization: Bearer KEY, or x-api-key: KEY"
                        : "Incorrect API key provided: it is none of this server's",
                   {{"WWW-Authenticate", "Bearer"}}};
}

// Cross-site requests of browsers are of the types that forms have: for a form their origin, which
// browsers tell, must be this server or one that is allowed.
std::optional<HttpError> check_form(const ConnectionContext& context, const Head& head) {
  const std::string* origin = head.field("origin");
  const std::string* host = head.field("host");
  if (origin == nullptr) return {};
  const bool own =
      host != nullptr && (*origin == "http://" + *host || *origin == "https://" + *host);
  const auto same = [&](const std::string& one) { return one == "*" || one == *origin; };
  if (own || std::ranges::any_of(context.config.allowed_origins, same)) return {};
  return HttpError{403, "origin_not_allowed", "pages of other sites send no forms here"};
}

std::optional<HttpError> check_body(const ConnectionContext& context, const Head& head,
                                    const Route* route) {
  if (head.method != "POST") return {};
  const bool form = route != nullptr && route->body == BodyKind::kForm;
  const std::string_view wanted = form ? "multipart/form-data" : "application/json";
  const std::string* type = head.field("content-type");
  const std::string_view media =
      type == nullptr ? "" : std::string_view(*type).substr(0, type->find_first_of("; "));
  if (!same_name(media, wanted)) {
    return HttpError{415, "content_type", fmt::format("send Content-Type: {}", wanted)};
  }
  if (form) return check_form(context, head);
  const size_t most = context.config.limits.body_bytes;
  if (head.content_length <= most) return {};
  return HttpError{413, "body_too_large", fmt::format("the body is larger than {} bytes", most)};
}

std::string request_id(const Head& head) {
  const std::string* given = head.field("x-request-id");
  const auto plain = [](char c) { return c > 0x20 && c < 0x7f; };
  const bool usable = given != nullptr && !given->empty() && given->size() <= kMaxIdBytes &&
                      std::ranges::all_of(*given, plain);
  return usable ? *given : frontend::random_id("req_");
}

std::vector<Field> common_fields(const ConnectionContext& context, const Head& head,
                                 const std::string& id) {
  std::vector<Field> fields = {{"x-request-id", id}};
  const std::string* origin = head.field("origin");
  if (origin == nullptr) return fields;
  for (const std::string& allowed : context.config.allowed_origins) {
    if (allowed != "*" && allowed != *origin) continue;
    fields.push_back({"Access-Control-Allow-Origin", allowed == "*" ? "*" : *origin});
    fields.push_back({"Access-Control-Expose-Headers", "x-request-id"});
    fields.push_back({"Vary", "Origin"});
    break;
  }
  return fields;
}

Reply options_reply(const FoundRoute& found, const std::vector<Field>& fields) {
  Reply reply{.status = 204, .fields = {{"Allow", found.allowed}}};
  if (fields.size() == 1) return reply;  // no origin that is allowed
  reply.fields.push_back({"Access-Control-Allow-Methods", found.allowed});
  reply.fields.push_back(
      {"Access-Control-Allow-Headers",
       "Authorization, Content-Type, x-request-id, x-api-key, anthropic-version, anthropic-beta"});
  return reply;
}

class Conversation {
 public:
  Conversation(std::shared_ptr<Link> link, std::string peer, ConnectionContext& context)
      : link_(std::move(link)), peer_(std::move(peer)), context_(context) {}

  asio::awaitable<void> run() {
    const bool open = co_await open_tls();
    bool fresh = true;
    while (open && !link_->draining()) {
      ReadHead read = co_await read_head(*link_, context_.config.limits, fresh);
      fresh = false;
      if (read.error) log_tls(*read.error);
      if (read.error) co_await refuse(Request(), *read.error);
      if (read.next == Next::kClose) break;
      if (co_await answer(read.text) == Next::kClose) break;
    }
    co_await link_->finish();
  }

 private:
  // Under the deadline that a head has. A handshake that fails has no answer but TLS's own.
  asio::awaitable<bool> open_tls() {
    link_->set_idle(true);
    const bool open = co_await link_->shake_hands(context_.config.limits.head_timeout);
    link_->set_idle(false);
    if (open) co_return true;
    if (link_->fall_back_to_plain()) {
      log_info("{} speaks plain HTTP to a port with TLS", peer_);
      const HttpError error = needs_https();
      co_await refuse(Request(), error);
      co_return false;
    }
    // Whoever only looks whether the port is open is no news.
    if (link_->heard_peer()) log_info("no TLS with {}: {}", peer_, link_->handshake_fault());
    link_->close_soon();
    co_return false;
  }

  void log_tls(const HttpError& error) const {
    if (error.code == kTlsOnPlainPort) log_info("{} speaks TLS to a port without it", peer_);
  }

  asio::awaitable<Next> answer(const std::string& head_text) {
    started_ = Clock::now();
    auto head = parse_head(head_text, context_.config.limits);
    if (!head) {
      co_await refuse(Request(), head.error());
      co_return Next::kClose;
    }
    Request request{.head = std::move(*head), .body = {}, .id = {}};
    request.id = request_id(request.head);
    auto found = check(request.head);
    if (!found) co_return co_await refuse_request(std::move(request), found.error());
    if (request.head.expects_continue && !co_await link_->write("HTTP/1.1 100 Continue\r\n\r\n")) {
      co_return Next::kClose;
    }
    const bool form = found->route != nullptr && found->route->body == BodyKind::kForm;
    if (form) co_return co_await take_form(std::move(request), *found);
    co_return co_await take_json(std::move(request), *found);
  }

  asio::awaitable<Next> take_json(Request request, FoundRoute found) {
    BodyCharge charge(context_.body_bytes);
    auto wrong = co_await read_body(*link_, context_, charge, request.body);
    const HeapReturn give_back(request.body.size());
    if (wrong) {
      co_await refuse(std::move(request), *wrong);
      co_return Next::kClose;
    }
    co_return co_await handle(std::move(request), found, nullptr);
  }

  asio::awaitable<Next> take_form(Request request, FoundRoute found) {
    const HttpLimits& limits = context_.config.limits;
    BodyCharge charge(context_.body_bytes);
    if (!charge.grow_to(BodyReader::kPieceBytes, limits.all_bodies_bytes)) {
      co_await refuse(std::move(request), overloaded());
      co_return Next::kClose;
    }
    const BodyReader::Sizes sizes{.most_bytes = limits.upload_bytes};
    BodyReader reader(*link_, limits, sizes);
    co_return co_await handle(std::move(request), found, &reader);
  }

  std::expected<FoundRoute, HttpError> check(const Head& head) const {
    if (auto wrong = check_host(context_, head)) return std::unexpected(std::move(*wrong));
    auto found = find_route(context_.routes, head);
    if (!found) return found;
    if (found->route != nullptr && found->route->needs_key) {
      if (auto wrong = check_key(context_, head)) return std::unexpected(std::move(*wrong));
    }
    if (auto wrong = check_body(context_, head, found->route)) {
      return std::unexpected(std::move(*wrong));
    }
    KeyLimits* limits = context_.config.key_limits;
    if (limits == nullptr || found->route == nullptr) return found;
    const auto key = context_.config.keys.find_given(head);
    if (auto wrong = limits->enter(key, found->route->limit)) {
      return std::unexpected(std::move(*wrong));
    }
    return found;
  }

  // `body` is null where the request holds its body.
  asio::awaitable<Next> handle(Request request, const FoundRoute& found, BodyReader* body) {
    std::vector<Field> fields = common_fields(context_, request.head, request.id);
    std::optional<Reply> options;
    if (found.route == nullptr) options = options_reply(found, fields);
    Exchange exchange(link_, std::move(request), std::move(fields));
    exchange.set_id(found.id);
    exchange.set_body(body);
    exchange.set_key(context_.config.keys.find_given(exchange.request().head));
    choose_errors(exchange);
    if (found.route != nullptr) tell_limits(*found.route, exchange);
    if (options) {
      co_await exchange.reply(std::move(*options));
    } else {
      co_await found.route->handler(context_.service, exchange);
    }
    link_->end_wait();
    log(exchange);
    co_return exchange.keep_alive() && !link_->gone() ? Next::kGo : Next::kClose;
  }

  void tell_limits(const Route& route, Exchange& exchange) const {
    KeyLimits* limits = context_.config.key_limits;
    if (limits == nullptr || route.limit == LimitKind::kNone) return;
    for (Field& field : limits->request_fields(exchange.key())) {
      exchange.add_field(std::move(field));
    }
  }

  // Clients of the one API look for their request's id under another name.
  void choose_errors(Exchange& exchange) const {
    const ErrorForm form = error_form(context_.routes, exchange.request().head.path);
    exchange.set_error_form(form);
    if (form == ErrorForm::kAnthropic) {
      exchange.add_field({"request-id", exchange.request().id});
    }
  }

  // The head was right: where no body is to come the connection may go on.
  asio::awaitable<Next> refuse_request(Request request, const HttpError& error) {
    if (!drop_request(request.head)) request.head.keep_alive = false;
    const bool keep = co_await refuse(std::move(request), error);
    co_return keep && !link_->gone() ? Next::kGo : Next::kClose;
  }

  // False where some of it is still to come: a small body is there with its head.
  bool drop_request(const Head& head) {
    std::string& input = link_->input();
    const size_t body = input.find(kHeadEnd) + kHeadEnd.size();
    if (head.chunked || input.size() - body < head.content_length) return false;
    input.erase(0, body + head.content_length);
    return true;
  }

  // False where the connection ends with it.
  asio::awaitable<bool> refuse(Request request, const HttpError& error) {
    if (request.id.empty()) {
      request.id = frontend::random_id("req_");
      request.head.keep_alive = false;
    }
    if (error.status == 400 || error.status == 408 || error.status == 413 || error.status == 503) {
      request.head.keep_alive = false;
    }
    std::vector<Field> fields = common_fields(context_, request.head, request.id);
    Exchange exchange(link_, std::move(request), std::move(fields));
    choose_errors(exchange);
    Reply reply = error_reply(error, exchange.error_form());
    co_await exchange.reply(std::move(reply));
    log(exchange);
    co_return exchange.keep_alive();
  }

  void log(const Exchange& exchange) const {
    if (HttpCounts* counts = context_.config.counts) {
      counts->answer(exchange.status(), exchange.sent_bytes());
    }
    if (!context_.config.log) return;
    const std::chrono::duration<double, std::milli> took = Clock::now() - started_;
    context_.config.log({.peer = peer_,
                         .method = exchange.request().head.method,
                         .path = exchange.request().head.path,
                         .request_id = exchange.request().id,
                         .status = exchange.status(),
                         .sent_bytes = exchange.sent_bytes(),
                         .milliseconds = took.count()});
  }

  std::shared_ptr<Link> link_;
  std::string peer_;
  ConnectionContext& context_;
  Clock::time_point started_ = Clock::now();
};

}  // namespace

asio::awaitable<void> serve_connection(std::shared_ptr<Link> link, std::string peer,
                                       ConnectionContext& context) {
  Conversation conversation(std::move(link), std::move(peer), context);
  co_await conversation.run();
}

asio::awaitable<void> refuse_connection(std::shared_ptr<Link> link) {
  if (link->has_tls()) co_return;  // a handshake is work that one too many does not get
  Request request;
  request.head.keep_alive = false;
  std::vector<Field> none;
  Exchange exchange(link, std::move(request), std::move(none));
  Reply reply = error_reply(too_many_connections());
  co_await exchange.reply(std::move(reply));
  co_await link->finish();
}

}  // namespace strata::server
