// News in under the lock, the call outside of it.
#include "server/generation.h"

#include <utility>

namespace strata::server {
namespace {

int64_t tokens_of(const frontend::ApiRequest& request) {
  int64_t sum = 0;
  for (const auto& prompt : request.prompts) sum += std::ssize(prompt);
  return sum;
}

}  // namespace

Generation::Generation(frontend::ApiRequest request, std::function<void()> notify)
    : request_(std::move(request)),
      prompts_(std::ssize(request_->prompts)),
      prompt_tokens_(tokens_of(*request_)),
      streams_(request_->stream.wanted),
      notify_(std::move(notify)) {}

Generation::News Generation::take() {
  const std::lock_guard lock(mutex_);
  News taken = std::move(news_);
  news_ = {.accepted = taken.accepted, .done = taken.done, .error = taken.error};
  return taken;
}

Result<void> Generation::start(engine::Engine& engine, const frontend::ServedModel& model) {
  frontend::Watcher watcher;
  if (streams_) {
    watcher = [this](int64_t answer, const engine::Update& update) { hear(answer, update); };
  }
  completion_ = TRY(frontend::Completion::submit(engine, *std::exchange(request_, {}), model,
                                                 std::move(watcher)));
  {
    const std::lock_guard lock(mutex_);
    news_.accepted = true;
  }
  notify_();
  return {};
}

void Generation::hear(int64_t answer, const engine::Update& update) {
  {
    const std::lock_guard lock(mutex_);
    news_.pieces.push_back({.answer = answer,
                            .token = update.token,
                            .text = update.text,
                            .logprobs = update.logprobs,
                            .stop = update.stop,
                            .finished = update.finished});
  }
  notify_();
}

void Generation::refuse(Status error) {
  if (lease_) lease_->give_back();
  {
    const std::lock_guard lock(mutex_);
    news_.error = std::move(error);
    news_.done = true;
  }
  notify_();
}

void Generation::finish() {
  if (lease_) lease_->end(completion_->generated_tokens());
  if (completion_->error()) return refuse(*completion_->error());
  {
    const std::lock_guard lock(mutex_);
    news_.done = true;
  }
  notify_();
}

}  // namespace strata::server
