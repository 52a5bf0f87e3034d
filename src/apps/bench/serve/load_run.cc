// One io_context on the calling thread. Coroutines wait and send; what they say and hear is made in
// plain functions.
#include "apps/bench/serve/load_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

namespace strata::apps {
namespace {

namespace asio = boost::asio;
using server::ApiAnswer;
using server::ApiCall;
using server::ApiClient;
using Clock = std::chrono::steady_clock;
constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr size_t kMaxDetail = 300;

// How a server's tokenizer counts our words, and what its template adds.
struct WordCount {
  double per_token = 1;
  double fixed_tokens = 0;

  int64_t words_for(int64_t tokens) const {
    return std::max<int64_t>(
        1, std::llround((static_cast<double>(tokens) - fixed_tokens) * per_token));
  }
};

Json with_text(const LoadTarget& target, std::string text) {
  if (!target.chat) return {{"prompt", std::move(text)}};
  return {{"messages", {{{"role", "user"}, {"content", std::move(text)}}}}};
}

ApiCall call_of(const LoadTarget& target, const Json& body) {
  return {.method = "POST",
          .path = target.chat ? "/v1/chat/completions" : "/v1/completions",
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Json body_of(const LoadTarget& target, const PlannedRequest& request, const WordCount& count) {
  Json body = request.body;
  if (body.is_null()) {
    body = with_text(target, words(count.words_for(request.prompt_tokens), request.seed));
    body["max_tokens"] = request.answer_tokens;
    body["temperature"] = 0;
    if (target.ignore_eos) body["ignore_eos"] = true;
  }
  body["model"] = target.model;
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  return body;
}

// What an event brings for people to read, whatever it is called.
bool has_text(const Json& choice) {
  if (const Json* text = find_member(choice, "text")) return text->is_string() && !text->empty();
  const Json* delta = find_member(choice, "delta");
  if (delta == nullptr) return false;
  for (const char* name : {"content", "reasoning_content", "reasoning", "tool_calls"}) {
    const Json* piece = find_member(*delta, name);
    if (piece == nullptr || piece->is_null()) continue;
    if (piece->is_string() ? !piece->get_ref<const std::string&>().empty() : !piece->empty()) {
      return true;
    }
  }
  return false;
}

// One request under way.
class Ongoing {
 public:
  Ongoing(Clock::time_point zero, RequestOutcome& outcome) : zero_(zero), outcome_(outcome) {
    outcome_.start_s = now();
  }

  void take_event(std::string_view data) {
    const double at = now();
    if (data == "[DONE]") {
      ended_ = true;
      return;
    }
    const auto event = parse_json_object(data, "an event");
    if (!event) return set_error("protocol", event.error().message());
    if (const Json* error = find_member(*event, "error")) {
      return set_error("in the stream", error->dump());
    }
    take_usage(*event);
    const Json* choices = find_member(*event, "choices");
    if (choices == nullptr || !choices->is_array()) return;
    if (std::ranges::any_of(*choices, has_text)) take_token(at);
  }

  void end(const ApiAnswer& answer, bool stopped) {
    outcome_.end_s = now();
    if (!outcome_.error.empty()) return;
    if (stopped) return set_error("stopped", "");
    if (answer.fault != server::CallFault::kNone) {
      return set_error(std::string(server::fault_name(answer.fault)), answer.detail);
    }
    if (answer.status != 200) return set_error(fmt::format("http {}", answer.status), answer.body);
    if (!ended_) return set_error("no end", "the stream has no [DONE]");
    if (!counted_) return set_error("no usage", "no event has the counts of tokens");
    // An answer whose tokens make no text, as half a character, still came.
    if (!any_) outcome_.first_s = outcome_.last_s = outcome_.end_s;
  }

 private:
  double now() const { return std::chrono::duration<double>(Clock::now() - zero_).count(); }
  void set_error(std::string kind, std::string detail) {
    if (!outcome_.error.empty()) return;
    outcome_.error = std::move(kind);
    outcome_.detail = detail.substr(0, kMaxDetail);
  }
  void take_usage(const Json& event) {
    const Json* usage = find_member(event, "usage");
    if (usage == nullptr || !usage->is_object()) return;
    const auto prompt = get_int(*usage, "prompt_tokens", 0, int64_t{1} << 40);
    const auto answer = get_int(*usage, "completion_tokens", 0, int64_t{1} << 40);
    if (!prompt || !answer) return;
    outcome_.prompt_tokens = *prompt;
    outcome_.answer_tokens = *answer;
    counted_ = true;
  }
  void take_token(double at) {
    if (std::exchange(any_, true)) {
      outcome_.gaps_s.push_back(at - outcome_.last_s);
    } else {
      outcome_.first_s = at;
    }
    outcome_.last_s = at;
  }

  const Clock::time_point zero_;
  RequestOutcome& outcome_;
  bool any_ = false, ended_ = false, counted_ = false;
};

Status unexpected_answer(const ApiCall& call, const ApiAnswer& answer) {
  const bool none = answer.fault != server::CallFault::kNone;
  return {
      none ? Code::kUnavailable : Code::kInvalidData,
      fmt::format("{} {}", call.method, call.path),
      none ? answer.detail : fmt::format("{} {}", answer.status, answer.body.substr(0, kMaxDetail)),
      {},
      none ? "is a server running at --url?" : ""};
}

class Load {
 public:
  Load(LoadTarget target, const std::vector<PlannedRequest>& plan,
       const std::function<void(size_t)>& progress)
      : target_(std::move(target)), plan_(plan), progress_(progress), signals_(io_) {}

  Result<LoadRun> run() {
    signals_.add(SIGINT, ignored_);
    signals_.add(SIGTERM, ignored_);
    take_signal();
    asio::co_spawn(io_, prepare(), asio::detached);
    io_.run();
    if (failure_) return std::unexpected(std::move(*failure_));
    io_.restart();
    zero_ = Clock::now();
    start();
    io_.run();
    made_.model = target_.model;
    made_.duration_s = std::chrono::duration<double>(last_ - zero_).count();
    made_.interrupted = stopping_;
    return std::move(made_);
  }

 private:
  void take_signal() {
    signals_.async_wait([this](boost::system::error_code failure, int) {
      if (failure) return;
      stopping_ = true;
      signals_.clear(ignored_);  // the second one ends the process
      std::signal(SIGINT, SIG_DFL);
      std::signal(SIGTERM, SIG_DFL);
      for (ApiClient* client : busy_) client->stop();
      if (pause_) pause_->cancel();
    });
  }

  // Which model, and how many words make a token.
  asio::awaitable<void> prepare() {
    ApiClient client(io_.get_executor(), target_.client);
    busy_.push_back(&client);
    if (target_.model.empty()) {
      ApiCall call{.path = "/v1/models"};
      const ApiAnswer answer = co_await client.call(call, no_events_);
      take_model(call, answer);
    }
    const bool made_up = std::ranges::any_of(
        plan_, [](const PlannedRequest& request) { return request.body.is_null(); });
    const int64_t few = co_await probe(client, made_up && !failure_, 1);
    const int64_t many = co_await probe(client, made_up && !failure_, kProbeWords);
    if (many > few) {
      count_.per_token = static_cast<double>(kProbeWords - 1) / static_cast<double>(many - few);
      count_.fixed_tokens = static_cast<double>(few) - 1 / count_.per_token;
    }
    busy_.clear();
    io_.stop();  // the signals would keep it waiting
  }
  void take_model(const ApiCall& call, const ApiAnswer& answer) {
    const auto listed = parse_json_object(answer.body, "/v1/models");
    const Json* data = listed ? find_member(*listed, "data") : nullptr;
    const bool some = data != nullptr && data->is_array() && !data->empty();
    const auto id = some ? get_string(data->front(), "id") : Result<std::string>("");
    if (answer.status != 200 || !some || !id) {
      failure_ = unexpected_answer(call, answer);
    } else {
      target_.model = *id;
    }
  }
  // Tokens that a prompt of so many words comes to.
  asio::awaitable<int64_t> probe(ApiClient& client, bool wanted, int64_t count) {
    if (!wanted) co_return 0;
    Json body = with_text(target_, words(count, 1));
    body["model"] = target_.model;
    body["max_tokens"] = 1;
    ApiCall call = call_of(target_, body);
    const ApiAnswer answer = co_await client.call(call, no_events_);
    co_return prompt_tokens(call, answer);
  }
  int64_t prompt_tokens(const ApiCall& call, const ApiAnswer& answer) {
    const auto body = parse_json_object(answer.body, "the answer");
    const Json* usage = body ? find_member(*body, "usage") : nullptr;
    const auto tokens =
        get_int(usage == nullptr ? Json::object() : *usage, "prompt_tokens", 1, 1 << 24);
    if (answer.status == 200 && tokens) return *tokens;
    if (!stopping_) failure_ = unexpected_answer(call, answer);
    return 0;
  }

  void start() {
    last_ = zero_;
    if (stopping_) return;
    if (target_.concurrency == 0) {
      asio::co_spawn(io_, send_on_time(), asio::detached);
      return;
    }
    const auto places = static_cast<size_t>(target_.concurrency);
    for (size_t i = 0; i < std::min(places, plan_.size()); i++) {
      asio::co_spawn(io_, send_in_turn(), asio::detached);
    }
  }

  asio::awaitable<void> send_in_turn() {
    while (next_ < plan_.size() && !stopping_) co_await send(plan_[next_++]);
    end_if_done();
  }
  asio::awaitable<void> send_on_time() {
    pause_.emplace(io_);
    for (; next_ < plan_.size() && !stopping_; next_++) {
      const std::chrono::duration<double> at(plan_[next_].at_s);
      pause_->expires_at(zero_ + std::chrono::duration_cast<Clock::duration>(at));
      co_await pause_->async_wait(kResult);
      if (!stopping_) asio::co_spawn(io_, send_alone(plan_[next_]), asio::detached);
    }
    pause_.reset();
    end_if_done();
  }
  asio::awaitable<void> send_alone(const PlannedRequest& request) {
    co_await send(request);
    end_if_done();
  }

  asio::awaitable<void> send(const PlannedRequest& request) {
    std::unique_ptr<ApiClient> client = take_client();
    RequestOutcome outcome;
    ApiCall call = call_of(target_, body_of(target_, request, count_));
    Ongoing ongoing(zero_, outcome);
    if (target_.concurrency == 0) outcome.delay_s = outcome.start_s - request.at_s;
    const server::EventSink sink = [&ongoing](std::string_view data) { ongoing.take_event(data); };
    const ApiAnswer answer = co_await client->call(std::move(call), sink);
    last_ = Clock::now();
    ongoing.end(answer, stopping_ && answer.fault != server::CallFault::kNone);
    give_back(std::move(client));
    made_.outcomes.push_back(std::move(outcome));
    progress_(made_.outcomes.size());
  }

  std::unique_ptr<ApiClient> take_client() {
    std::unique_ptr<ApiClient> client;
    if (idle_.empty()) {
      client = std::make_unique<ApiClient>(io_.get_executor(), target_.client);
    } else {
      client = std::move(idle_.back());
      idle_.pop_back();
    }
    busy_.push_back(client.get());
    made_.most_at_once = std::max<int64_t>(made_.most_at_once, std::ssize(busy_));
    return client;
  }
  void give_back(std::unique_ptr<ApiClient> client) {
    std::erase(busy_, client.get());
    idle_.push_back(std::move(client));
  }
  // The signals would keep it waiting.
  void end_if_done() {
    if (busy_.empty() && (next_ >= plan_.size() || stopping_) && !pause_) {
      signals_.cancel(ignored_);
      io_.stop();
    }
  }

  static constexpr int64_t kProbeWords = 201;
  LoadTarget target_;
  const std::vector<PlannedRequest>& plan_;
  const std::function<void(size_t)>& progress_;
  const server::EventSink no_events_ = [](std::string_view) {};
  asio::io_context io_{1};
  asio::signal_set signals_;
  boost::system::error_code ignored_;
  std::optional<asio::steady_timer> pause_;
  std::optional<Status> failure_;
  WordCount count_;
  bool stopping_ = false;
  size_t next_ = 0;
  std::vector<ApiClient*> busy_;
  std::vector<std::unique_ptr<ApiClient>> idle_;
  Clock::time_point zero_, last_;
  LoadRun made_;
};

}  // namespace

Result<LoadRun> run_load(const LoadTarget& target, const std::vector<PlannedRequest>& plan,
                         const std::function<void(size_t ended)>& progress) {
  Load load(target, plan, progress);
  return load.run();
}

}  // namespace strata::apps
