// What a worker would have in memory: the content of every frame, position by position, and the
// tokens of every sequence. Carries out plans and finds every row that would read something else
// than its own past.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sched/scheduler.h"
#include "sim/traffic.h"

namespace strata::sim {

class Shadow {
 public:
  /// `most_drafts`: guesses that a sequence offers at most.
  Shadow(sched::SchedulerConfig config, int64_t most_drafts);

  void add(const SimRequest& request) { requests_[request.request.id] = request; }
  /// The request does not count as ended; rows planned before still run.
  void cancel(sched::RequestId request);
  /// Carries the plan out; the first fault is kept in fault().
  sched::StepResult run(const sched::StepPlan& plan);

  const std::string& fault() const { return fault_; }
  /// Answers, prompts included, that finished since the last call.
  std::vector<Chain> take_answers();
  /// Requests of which every sequence has finished.
  int64_t ended() const { return ended_; }

 private:
  struct Sequence {
    sched::RequestId request{};
    int64_t choice = 0;
    Chain chain;
    int64_t computed = -1;        // -1: starts anywhere
    int64_t logits_computed = 0;  // where all are wanted
    int64_t drafts = 0;           // offered
    bool over = false;            // its answer is whole
  };

  void blame(std::string fault);
  void move_frames(const sched::StepPlan& plan);
  void check_limits(const sched::StepPlan& plan);
  void check_rows(const sched::SequenceStep& step, Sequence& sequence);
  bool holds(size_t group, int64_t frame) const;
  void check_reads(const sched::SequenceStep& step, const Sequence& sequence);
  void write(const sched::SequenceStep& step, const Sequence& sequence);
  void check_writers(const sched::StepPlan& plan);
  void yield(const sched::SequenceStep& step, Sequence& sequence, sched::StepResult& result);
  bool add_token(Sequence& sequence, sched::SequenceResult& made);
  void accept_draft(const sched::SequenceStep& step, Sequence& sequence);
  uint64_t* content(size_t group, int64_t frame);
  int64_t first_read(size_t group, int64_t position) const;

  sched::SchedulerConfig config_;
  int64_t most_drafts_;
  std::vector<std::vector<uint64_t>> content_;  // per group: [frame][token]; 0 = nothing sensible
  std::vector<std::vector<bool>> taken_;        // per group: [frame]
  std::vector<std::vector<int64_t>> in_slab_;   // per group: frames taken, by slab
  std::map<sched::RequestId, SimRequest> requests_;
  std::map<sched::RequestId, int64_t> left_;  // sequences without an end
  std::map<sched::SequenceId, Sequence> sequences_;
  std::set<sched::RequestId> cancelled_;  // also those whose admission has not been run yet
  std::vector<Chain> answers_;
  int64_t ended_ = 0;
  std::string fault_;
};

}  // namespace strata::sim
