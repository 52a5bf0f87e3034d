// The engine's last numbers for whoever scrapes: asked for anew each time, and kept for when it
// does not answer. Between scrapes on HTTP threads and the engine's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "server/engine_door.h"

namespace strata::server {

/// From any thread. The questions that the engine has not answered keep it alive.
class LatestStats : public std::enable_shared_from_this<LatestStats> {
 public:
  struct Taken {
    engine::EngineStats stats;
    int64_t time_ns = 0;
    int64_t number = 0;  // counts answers
  };

  /// `notify` is called once the engine has answered, on its thread. Does nothing where many
  /// questions wait already: an engine that does not answer gets no more of them.
  void ask(EngineDoor& door, Env& env, std::function<void()> notify);
  /// Null where the engine has never answered.
  std::shared_ptr<const Taken> last() const;

 private:
  static constexpr int kMostQuestions = 8;
  void answer(const engine::EngineStats& stats, int64_t now_ns);

  mutable std::mutex mutex_;
  std::shared_ptr<const Taken> last_;
  int64_t answers_ = 0;
  int questions_ = 0;  // without an answer
};

}  // namespace strata::server
