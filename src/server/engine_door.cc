// The lock is held to swap lists, never while the engine works.
#include "server/engine_door.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace strata::server {

EngineDoor::EngineDoor(Env& env, engine::Engine& engine, const frontend::ServedModel& model)
    : env_(env),
      engine_(engine),
      model_(model),
      most_waiting_(engine.config().max_queued_requests) {
  engine_.live().on_ask([this] { wake(); });
  // A signal lets answers end: nothing stops in the midst of a step.
  engine_.set_stop_check([this](bool moved) {
    if (moved) beat();
    return false;
  });
}

EngineDoor::~EngineDoor() {
  engine_.live().on_ask({});
  engine_.set_stop_check({});
}

Result<void> EngineDoor::check_room_locked(int64_t prompts) const {
  if (inbox_.closed) return fail(Code::kUnavailable, "the server is ending");
  const int64_t room = std::max<int64_t>(0, most_waiting_ - arriving_ - engine_.queued());
  // More than may ever wait is the engine's to refuse, for good.
  if (prompts <= room || prompts > most_waiting_) return {};
  return fail(Code::kBusy, "too many requests are waiting", fmt::format("{} more", prompts),
              fmt::format("at most {}", room), "try again later");
}

Result<void> EngineDoor::check_room() {
  const std::lock_guard lock(mutex_);
  return check_room_locked(1);
}

Result<void> EngineDoor::submit(std::shared_ptr<Generation> generation) {
  {
    const std::lock_guard lock(mutex_);
    TRY(check_room_locked(generation->prompts()));
    arriving_ += generation->prompts();
    inbox_.arrivals.push_back(std::move(generation));
  }
  changed_.notify_one();
  return {};
}

void EngineDoor::cancel(std::shared_ptr<Generation> generation) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.cancels.push_back(std::move(generation));
  }
  changed_.notify_one();
}

void EngineDoor::ask(std::function<void(const engine::EngineStats&)> answer) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.questions.push_back(std::move(answer));
  }
  changed_.notify_one();
}

void EngineDoor::close(std::chrono::milliseconds patience) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.closed = true;
    inbox_.deadline_ns = env_.now_ns() + std::chrono::nanoseconds(patience).count();
  }
  changed_.notify_one();
}

std::chrono::nanoseconds EngineDoor::silent_for() const {
  const int64_t beat = beat_ns_.load(std::memory_order_relaxed);
  if (beat == kAsleep) return {};
  return std::chrono::nanoseconds(std::max<int64_t>(0, env_.now_ns() - beat));
}

void EngineDoor::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

EngineDoor::Inbox EngineDoor::wait_for_work() {
  std::unique_lock lock(mutex_);
  if (running_.empty()) {
    beat_ns_.store(kAsleep, std::memory_order_relaxed);
    changed_.wait(lock, [this] { return !inbox_.empty() || inbox_.closed || woken_; });
  }
  woken_ = false;
  beat();
  Inbox taken = std::move(inbox_);
  inbox_ = {.closed = taken.closed, .deadline_ns = taken.deadline_ns};
  return taken;
}

void EngineDoor::run() {
  for (;;) {
    const Inbox inbox = wait_for_work();
    for (const auto& generation : inbox.arrivals) start(generation);
    for (const auto& generation : inbox.cancels) {
      if (generation->started()) generation->cancel();
    }
    if (inbox.deadline_ns && env_.now_ns() >= *inbox.deadline_ns) cancel_all();
    engine_.answer_live();  // a lower ceiling is obeyed in the step behind it
    // The last results are taken in by the step after them.
    if (!engine_.step()) engine_.step();
    end_done();
    for (const auto& answer : inbox.questions) answer(engine_.stats());
    if (inbox.closed && running_.empty() && inbox.arrivals.empty()) return;
  }
}

void EngineDoor::start(const std::shared_ptr<Generation>& generation) {
  const auto started = generation->start(engine_, model_);
  {
    const std::lock_guard lock(mutex_);
    arriving_ -= generation->prompts();
  }
  if (started) {
    running_.push_back(generation);
  } else {
    generation->refuse(started.error());
  }
}

void EngineDoor::cancel_all() {
  for (const auto& generation : running_) generation->cancel();
}

void EngineDoor::end_done() {
  for (const auto& generation : running_) {
    if (generation->ended()) generation->finish();
  }
  std::erase_if(running_, [](const auto& generation) { return generation->ended(); });
}

}  // namespace strata::server
