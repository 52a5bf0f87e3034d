// Decides each step: who starts, which rows run, which blocks they use. Pure: a function of the
// inputs so far, without clock, files or threads, so it can be simulated, fuzzed and replayed.
// First come, first served: docs/design/scheduler.md. It neither sees token values nor bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/status.h"
#include "sched/block_manager.h"
#include "sched/types.h"

namespace strata::sched {

/// A KV group as numbers.
struct GroupShape {
  int64_t frames_per_slab = 1;
  int64_t window = 0;  // 0: every token is kept; else only the last `window`
};

struct SchedulerConfig {
  int64_t max_sequences = 64;   // running at once
  int64_t prefill_chunk = 512;  // most prompt rows of one sequence in a step
  int64_t max_logit_rows = 64;  // of a step; >= max_sequences
  int64_t block_tokens = 32;
  int64_t slabs = 0;
  std::vector<GroupShape> groups{};
  int depth = 1;  // plans in flight

  /// Rows of a step: decodes first, prompts fill the rest.
  int64_t max_rows() const { return std::max(prefill_chunk, max_sequences); }
};

class Scheduler {
 public:
  /// kInvalidArgument naming the number that makes no sense.
  static Result<Scheduler> create(SchedulerConfig config);

  /// Takes the input in and decides the next step. At most `depth` plans may be without a
  /// completion.
  StepPlan schedule(const StepInput& input);

  const SchedulerConfig& config() const { return config_; }
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }
  /// Neither waiting, running nor draining sequences.
  bool idle() const { return waiting_.empty() && running_.empty() && draining_.empty(); }
  const BlockManager& blocks() const { return blocks_; }
  /// Blocks per group that a request holds at most.
  BlockDemand demand(const Request& request) const;

 private:
  struct Sequence {
    SequenceId id{};
    Request request{};
    BlockDemand reserved{};
    int64_t planned = 0;           // positions given to plans
    int64_t generated = 0;         // tokens accepted
    int64_t yields_in_flight = 0;  // tokens that plans under way will yield
    PlanId last_plan{};
    std::vector<std::vector<BlockId>> tables{};  // per group, by position / block_tokens
    std::vector<int64_t> dropped{};              // per group: leading blocks released
  };
  struct Budget {
    int64_t rows = 0;
    int64_t logit_rows = 0;
  };

  explicit Scheduler(SchedulerConfig config);

  void complete(const StepResult& result);
  void accept(Sequence& sequence, const SequenceResult& result);
  void cancel(RequestId request, StepPlan& plan);
  void receive(const Request& request, StepPlan& plan);
  void finish(SequenceId id);
  void drain();
  void plan_decodes(StepPlan& plan, Budget& budget);
  void plan_prefills(StepPlan& plan, Budget& budget);
  void admit(StepPlan& plan, Budget& budget);
  void plan_prefill(Sequence& sequence, StepPlan& plan, Budget& budget);
  void plan_rows(Sequence& sequence, int64_t rows, StepPlan& plan, Budget& budget);
  void drop_outside_window(Sequence& sequence, int group);
  void extend_table(Sequence& sequence, int group, int64_t positions);

  SchedulerConfig config_;
  BlockManager blocks_;
  std::deque<Request> waiting_;
  std::map<SequenceId, Sequence> running_;  // ids grow with arrival
  std::vector<Sequence> draining_;          // finished, but plans under way still read them
  int64_t last_sequence_ = 0;
  int64_t last_plan_ = 0;
  int64_t completed_plan_ = 0;
};

}  // namespace strata::sched
