// The copy of the statistics is made outside of the lock.
#include "server/metrics/latest_stats.h"

#include <utility>

namespace strata::server {

void LatestStats::ask(EngineDoor& door, Env& env, std::function<void()> notify) {
  {
    const std::lock_guard lock(mutex_);
    if (questions_ == kMostQuestions) return;
    questions_++;
  }
  door.ask([self = shared_from_this(), &env,
            notify = std::move(notify)](const engine::EngineStats& stats) {
    self->answer(stats, env.now_ns());
    notify();
  });
}

void LatestStats::answer(const engine::EngineStats& stats, int64_t now_ns) {
  auto taken = std::make_shared<Taken>(Taken{.stats = stats, .time_ns = now_ns});
  const std::lock_guard lock(mutex_);
  taken->number = ++answers_;
  questions_--;
  last_ = std::move(taken);
}

std::shared_ptr<const LatestStats::Taken> LatestStats::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace strata::server
