// Chats and completions: a body in, an answer out, whole or as a stream. Everything that may fail
// is done in plain functions; coroutines only wait and send.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "frontend/dialects/dialect.h"
#include "server/api_routes.h"

namespace strata::server {
namespace {

using frontend::Dialect;

using std::chrono::milliseconds;

// When a request is given up, in the time of ApiService::now_ns().
struct Deadline {
  const ApiService& api;
  std::optional<int64_t> at_ns = {};

  bool passed() const { return at_ns && api.now_ns() >= *at_ns; }
  // Until then, at most `patience`: what a wait may take.
  milliseconds within(milliseconds patience) const {
    if (!at_ns) return patience;
    const std::chrono::nanoseconds left(std::max<int64_t>(0, *at_ns - api.now_ns()));
    return std::min(patience, std::chrono::ceil<milliseconds>(left));
  }
};

Deadline deadline_of(const ApiService& api) {
  if (!api.request_limit()) return {.api = api};
  return {.api = api,
          .at_ns = api.now_ns() + std::chrono::nanoseconds(*api.request_limit()).count()};
}

Status out_of_time(const Deadline& deadline) {
  const std::chrono::duration<double> limit(*deadline.api.request_limit());
  return {
      Code::kCancelled, "the answer took too long", "",
      fmt::format("one within {} s", limit.count()),
      "ask for fewer tokens, or again when less is under way; --request-timeout sets the limit"};
}

// A request that was read, and how its answers are headed.
struct Call {
  const Dialect& dialect;
  std::shared_ptr<Signal> signal;
  std::shared_ptr<Generation> generation;
  frontend::ResponseHead head;
  std::unique_ptr<frontend::StreamWriter> writer;  // null: one answer at the end
};

Result<void> check_requests(const frontend::ApiRequest& request, const Served& served) {
  for (const auto& prompt : request.prompts) {
    TRY(served.engine.check(
        {.prompt = prompt, .max_tokens = request.ask.max_tokens, .sampling = {}, .n = request.n}));
  }
  return {};
}

void tell_tokens_left(const ApiService& api, Exchange& exchange) {
  if (api.key_limits() == nullptr) return;
  for (Field& field : api.key_limits()->token_fields(exchange.key())) {
    exchange.add_field(std::move(field));
  }
}

Result<Call> read_call(const Dialect& dialect, const ApiService& api, const Served& served,
                       Exchange& exchange) {
  // Before its template and tokens are made: a server with too much to do does nothing for those
  // that it refuses.
  if (auto room = served.door.check_room(); !room) {
    tell_tokens_left(api, exchange);
    return std::unexpected(std::move(room).error());
  }
  const Json body = TRY(read_json(exchange));
  frontend::ApiRequest request = TRY(dialect.read(body, served.model));
  TRY(check_requests(request, served));
  list_ignored(request.ignored, exchange);
  if (exchange.key())
    request.cache_salt = fmt::format("{}:{}", *exchange.key(), request.cache_salt);
  request.received_ns = api.now_ns();
  Call call{.dialect = dialect,
            .signal = exchange.make_signal(),
            .generation = {},
            .head = {.id = frontend::random_id(dialect.id_prefix),
                     .model = served.model.name,
                     .created_s = api.now_s()},
            .writer = {}};
  if (request.stream.wanted) {
    call.writer = dialect.stream(request, call.head, *served.model.codec);
  }
  call.generation =
      std::make_shared<Generation>(std::move(request), [weak = std::weak_ptr(call.signal)] {
        if (const auto signal = weak.lock()) signal->notify();
      });
  return call;
}

Reply failed_reply(const Dialect& dialect, const Status& status, const Exchange& exchange) {
  return status_reply(dialect.in_its_words(status), exchange.error_form());
}

// The refusal, where the key may not or the engine cannot take it.
std::optional<Reply> submit(const Call& call, const ApiService& api, const Served& served,
                            Exchange& exchange) {
  KeyLimits* limits = api.key_limits();
  KeyLimits::Lease lease;
  if (limits != nullptr) {
    auto taken = limits->start(exchange.key(), call.generation->prompt_tokens());
    if (!taken) return error_reply(taken.error(), exchange.error_form());
    lease = std::move(*taken);
    call.generation->charge_to(lease);
  }
  // Once it is submitted its answer may be charged at any moment.
  auto fields = limits ? limits->token_fields(exchange.key()) : std::vector<Field>();
  const auto submitted = served.door.submit(call.generation);
  if (!submitted && lease) {
    lease->give_back();
    fields = limits->token_fields(exchange.key());
  }
  for (Field& field : fields) exchange.add_field(std::move(field));
  if (submitted) return {};
  return failed_reply(call.dialect, submitted.error(), exchange);
}

Reply whole_reply(const Call& call, const Generation::News& news, const Exchange& exchange) {
  if (news.error) return failed_reply(call.dialect, *news.error, exchange);
  const auto body = call.generation->body(call.head, call.dialect.whole);
  return body ? json_reply(*body) : failed_reply(call.dialect, body.error(), exchange);
}

Reply late_reply(const Deadline& deadline, const Exchange& exchange) {
  return error_reply(
      {.status = 504, .code = "request_timeout", .message = out_of_time(deadline).message()},
      exchange.error_form());
}

asio::awaitable<void> answer_whole(const Served& served, Exchange& exchange, const Call& call,
                                   milliseconds patience, Deadline deadline) {
  for (;;) {
    const Wake woken = co_await exchange.wait(*call.signal, deadline.within(patience));
    if (woken == Wake::kGone) {
      served.door.cancel(call.generation);
      co_return;
    }
    const Generation::News news = call.generation->take();
    if (!news.done && !deadline.passed()) continue;
    if (!news.done) {
      served.door.cancel(call.generation);
      Reply reply = late_reply(deadline, exchange);
      co_await exchange.reply(std::move(reply));
      co_return;
    }
    Reply reply = whole_reply(call, news, exchange);
    co_await exchange.reply(std::move(reply));
    co_return;
  }
}

// Events to send next; `ended` where they are the last.
struct Events {
  std::string text = {};
  bool ended = false;
};

Result<std::string> event_text(frontend::StreamWriter& writer, const Generation::News& news,
                               bool first) {
  std::string text;
  if (first) text = TRY(writer.start());
  for (const frontend::StreamPiece& piece : news.pieces) text += TRY(writer.piece(piece));
  return text;
}

Events next_events(frontend::StreamWriter& writer, const Generation::News& news, bool first,
                   const Deadline& deadline) {
  auto text = event_text(writer, news, first);
  if (!text) return {writer.error(text.error()), true};
  if (news.error) return {*text + writer.error(*news.error), true};
  if (news.done) return {*text + writer.end(), true};
  if (deadline.passed()) return {*text + writer.error(out_of_time(deadline)), true};
  return {std::move(*text), false};
}

asio::awaitable<void> answer_stream(const Served& served, Exchange& exchange, const Call& call,
                                    milliseconds ping_interval, Deadline deadline) {
  for (;;) {
    const Wake woken = co_await exchange.wait(*call.signal, deadline.within(ping_interval));
    if (woken == Wake::kGone) break;
    const Generation::News news = call.generation->take();
    const bool first = !exchange.streaming();
    if (first && news.error) {
      Reply reply = failed_reply(call.dialect, *news.error, exchange);
      co_await exchange.reply(std::move(reply));
      co_return;
    }
    if (first && !news.accepted && deadline.passed()) {
      served.door.cancel(call.generation);
      Reply reply = late_reply(deadline, exchange);
      co_await exchange.reply(std::move(reply));
      co_return;
    }
    const bool timeout = woken == Wake::kTimeout;
    if (first && !news.accepted && !timeout) continue;
    if (first && !co_await exchange.begin_stream()) break;
    Events events = next_events(*call.writer, news, first, deadline);
    if (events.text.empty() && timeout) events.text = call.writer->ping();
    const bool sent = events.text.empty() || co_await exchange.send(events.text);
    if (!sent) break;
    if (!events.ended) continue;
    served.door.cancel(call.generation);  // where the writer failed or time is up, and it runs on
    co_await exchange.end_stream();
    co_return;
  }
  served.door.cancel(call.generation);
}

asio::awaitable<void> complete(const Dialect& dialect, Service& service, Exchange& exchange) {
  const auto& api = static_cast<const ApiService&>(service);
  const Served* served = api.served();
  if (served == nullptr) {
    Reply reply = unavailable_reply(api, exchange.error_form());
    co_await exchange.reply(std::move(reply));
    co_return;
  }
  const Deadline deadline = deadline_of(api);
  auto call = read_call(dialect, api, *served, exchange);
  std::optional<Reply> refused;
  if (!call) {
    refused = failed_reply(dialect, call.error(), exchange);
  } else {
    refused = submit(*call, api, *served, exchange);
  }
  if (refused) {
    co_await exchange.reply(std::move(*refused));
  } else if (call->writer) {
    co_await answer_stream(*served, exchange, *call, api.ping_interval(), deadline);
  } else {
    co_await answer_whole(*served, exchange, *call, api.ping_interval(), deadline);
  }
}

}  // namespace

asio::awaitable<void> chat_completions(Service& service, Exchange& exchange) {
  co_await complete(frontend::chat_dialect(), service, exchange);
}

asio::awaitable<void> completions(Service& service, Exchange& exchange) {
  co_await complete(frontend::completions_dialect(), service, exchange);
}

asio::awaitable<void> messages(Service& service, Exchange& exchange) {
  co_await complete(frontend::messages_dialect(), service, exchange);
}

asio::awaitable<void> responses(Service& service, Exchange& exchange) {
  co_await complete(frontend::responses_dialect(), service, exchange);
}

}  // namespace strata::server
