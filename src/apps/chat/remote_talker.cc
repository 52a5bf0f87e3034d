// A call at a time: the context runs until it has ended. Signals are the context's meanwhile, as it
// would not notice a flag.
#include "apps/chat/remote_talker.h"

#include <fmt/core.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <utility>

#include "apps/interrupt.h"

namespace strata::apps {
namespace {

namespace asio = boost::asio;
using server::ApiAnswer;
using server::ApiCall;

asio::awaitable<void> call_once(server::ApiClient& client, ApiCall call,
                                const server::EventSink& sink, ApiAnswer& answer,
                                asio::signal_set& signals) {
  answer = co_await client.call(std::move(call), sink);
  boost::system::error_code ignored;
  signals.cancel(ignored);
}

// What the server says, or why it says nothing.
Status refusal(const ApiCall& call, const ApiAnswer& answer) {
  const std::string what = fmt::format("{} {}", call.method, call.path);
  if (answer.fault != server::CallFault::kNone) {
    return {Code::kUnavailable, what, answer.detail, {}, "is a server running at --url?"};
  }
  std::string text = answer.body.substr(0, 300);
  const auto body = parse_json_object(answer.body, "the answer");
  const Json* error = body ? find_member(*body, "error") : nullptr;
  const auto message = error == nullptr ? Result<std::string>("") : get_string(*error, "message");
  if (message && !message->empty()) text = *message;
  return {Code::kUnavailable, what, fmt::format("{} {}", answer.status, text), {}, {}};
}

// The pieces of one answer.
class Pieces {
 public:
  explicit Pieces(const ShowText& show) : show_(show) {}

  void take(std::string_view data) {
    if (!outcome_ || data == "[DONE]") return;
    const auto event = parse_json_object(data, "an event");
    if (!event) {
      outcome_ = std::unexpected(event.error());
      return;
    }
    if (const Json* error = find_member(*event, "error")) {
      const auto message = get_string(*error, "message");
      outcome_ = fail(Code::kUnavailable, message ? *message : error->dump());
      return;
    }
    const Json* choices = find_member(*event, "choices");
    if (choices == nullptr || !choices->is_array() || choices->empty()) return;
    if (const Json* delta = find_member(choices->front(), "delta")) take_delta(*delta);
  }
  Result<std::string> end() {
    if (!outcome_) return std::unexpected(std::move(outcome_).error());
    return std::move(text_);
  }
  bool failed() const { return !outcome_; }

 private:
  void take_delta(const Json& delta) {
    for (const char* name : {"reasoning_content", "reasoning"}) {
      const Json* thought = find_member(delta, name);
      if (thought == nullptr || !thought->is_string()) continue;
      fmt::print(stderr, "{}", thought->get_ref<const std::string&>());
      break;
    }
    const Json* content = find_member(delta, "content");
    if (content == nullptr || !content->is_string()) return;
    const auto& piece = content->get_ref<const std::string&>();
    text_ += piece;
    if (!piece.empty()) outcome_ = show_(piece);
  }

  const ShowText& show_;
  std::string text_;
  Result<void> outcome_;
};

}  // namespace

Result<std::unique_ptr<RemoteTalker>> RemoteTalker::connect(Config config) {
  std::unique_ptr<RemoteTalker> made(new RemoteTalker(std::move(config)));
  const ApiCall call{.path = "/v1/models"};
  const server::EventSink none = [](std::string_view) {};
  const ApiAnswer answer = made->run(call, none);
  if (made->interrupted_) return fail(Code::kCancelled, "interrupted");
  const auto body = parse_json_object(answer.body, "/v1/models");
  const Json* data = body ? find_member(*body, "data") : nullptr;
  if (answer.status != 200 || data == nullptr || !data->is_array() || data->empty()) {
    return std::unexpected(refusal(call, answer));
  }
  if (made->config_.model.empty()) made->config_.model = TRY(get_string(data->front(), "id"));
  return made;
}

ApiAnswer RemoteTalker::run(ApiCall call, const server::EventSink& sink) {
  ApiAnswer answer;
  asio::signal_set signals(io_, SIGINT, SIGTERM);
  int caught = 0;
  signals.async_wait([&](boost::system::error_code failure, int number) {
    if (failure) return;
    caught = number;
    client_.stop();
  });
  asio::co_spawn(io_, call_once(client_, std::move(call), sink, answer, signals), asio::detached);
  io_.restart();
  io_.run();
  boost::system::error_code ignored;
  signals.clear(ignored);
  watch_interrupts();  // the set has taken the handlers away
  interrupted_ = caught != 0;
  if (interrupted_) std::raise(caught);
  return answer;
}

Result<std::string> RemoteTalker::answer(const Json& messages, const ShowText& show) {
  Json body = config_.sampling;
  body["model"] = config_.model;
  body["messages"] = messages;
  body["stream"] = true;
  const ApiCall call{.method = "POST",
                     .path = "/v1/chat/completions",
                     .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)};
  Pieces pieces(show);
  const server::EventSink sink = [&](std::string_view data) {
    pieces.take(data);
    if (pieces.failed()) client_.stop();
  };
  const ApiAnswer answer = run(call, sink);
  const bool cut = answer.fault != server::CallFault::kNone && !interrupted_;
  if (!pieces.failed() && (cut || (answer.status != 200 && !interrupted_))) {
    return std::unexpected(refusal(call, answer));
  }
  return pieces.end();
}

}  // namespace strata::apps
