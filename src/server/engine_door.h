// The one way into a running engine from other threads: a bounded inbox of requests, cancels and
// questions, and the loop that serves it between steps. Between HTTP threads, which never touch the
// engine, and the engine, whose calls all come from run()'s thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "engine/engine.h"
#include "frontend/openai_request.h"
#include "server/generation.h"

namespace strata::server {

class EngineDoor {
 public:
  /// Both must outlive it.
  EngineDoor(Env& env, engine::Engine& engine, const frontend::ServedModel& model);
  EngineDoor(const EngineDoor&) = delete;
  EngineDoor& operator=(const EngineDoor&) = delete;
  ~EngineDoor();

  // From any thread.
  /// At once: kBusy where as many requests wait as may, kUnavailable after close().
  Result<void> submit(std::shared_ptr<Generation> generation);
  /// What submit() would say to a request of one prompt: for refusing before it is even read.
  Result<void> check_room();
  /// Its blocks are free after the next step. Ignored where it has ended.
  void cancel(std::shared_ptr<Generation> generation);
  /// `answer` runs on run()'s thread, after its next step.
  void ask(std::function<void(const engine::EngineStats&)> answer);
  /// How long a loop that has work has neither ended a step, nor computed or read a unit of the
  /// weights; 0 while it sleeps.
  std::chrono::nanoseconds silent_for() const;
  /// It has been silent for longer than it may.
  bool stalled() const { return silent_for() > stall_limit_; }
  /// Before run().
  void set_stall_limit(std::chrono::nanoseconds limit) { stall_limit_ = limit; }
  /// Nothing more is taken; what runs may go on for so long, and is cancelled then.
  void close(std::chrono::milliseconds patience);

  /// Steps while there is work and sleeps while there is none, until close() and nothing is left.
  void run();

 private:
  struct Inbox {
    std::vector<std::shared_ptr<Generation>> arrivals = {};
    std::vector<std::shared_ptr<Generation>> cancels = {};
    std::vector<std::function<void(const engine::EngineStats&)>> questions = {};
    bool closed = false;
    std::optional<int64_t> deadline_ns = {};

    bool empty() const { return arrivals.empty() && cancels.empty() && questions.empty(); }
  };
  Inbox wait_for_work();
  Result<void> check_room_locked(int64_t prompts) const;
  void wake();
  void start(const std::shared_ptr<Generation>& generation);
  void cancel_all();
  void beat() { beat_ns_.store(env_.now_ns(), std::memory_order_relaxed); }
  void end_done();

  Env& env_;
  engine::Engine& engine_;
  const frontend::ServedModel& model_;
  const int64_t most_waiting_;
  std::vector<std::shared_ptr<Generation>> running_;

  static constexpr int64_t kAsleep = -1;
  std::atomic<int64_t> beat_ns_ = kAsleep;
  std::chrono::nanoseconds stall_limit_{std::chrono::hours(1)};

  std::mutex mutex_;
  std::condition_variable changed_;
  Inbox inbox_;
  int64_t arriving_ = 0;  // prompts that the engine has yet to be given
  bool woken_ = false;
};

}  // namespace strata::server
