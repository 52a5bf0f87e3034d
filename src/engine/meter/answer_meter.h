// Follows every answer from the request that asks for it to its end, and keeps what clients have
// felt. The engine tells it what happens and when; it reads no clock and decides nothing.
#pragma once

#include <cstdint>
#include <map>

#include "engine/meter/answer_stats.h"
#include "sched/types.h"

namespace strata::engine {

/// Times are nanoseconds of one clock. For the engine's thread.
class AnswerMeter {
 public:
  struct Asked {
    int64_t received_ns = 0;
    int64_t prompt_tokens = 0;
    int64_t max_tokens = 0;
    int64_t answers = 1;
  };
  void arrive(sched::RequestId id, const Asked& asked);
  void start(sched::SequenceId answer, sched::RequestId id, int64_t now_ns);
  /// Tokens of one step; unknown answers are those that have ended.
  void receive(sched::SequenceId answer, int64_t tokens, int64_t now_ns);
  void finish(sched::SequenceId answer, Ending ending);
  /// Whatever of the request is still open ends with it.
  void end(sched::RequestId id, Ending ending);
  void add_step(int64_t rows) { stats_.step_rows.add(static_cast<double>(rows)); }

  const AnswerStats& stats() const { return stats_; }

 private:
  struct Prompt {
    Asked asked;
    int64_t open = 0;  // answers
    int64_t most_tokens = 0;
  };
  struct Answer {
    sched::RequestId request{};
    int64_t started_ns = 0;
    int64_t first_ns = 0;
    int64_t last_ns = 0;
    int64_t tokens = 0;
  };
  void take_well_ended(const Answer& answer, const Asked& asked);

  AnswerStats stats_;
  std::map<sched::RequestId, Prompt> prompts_;
  std::map<sched::SequenceId, Answer> answers_;
};

}  // namespace strata::engine
