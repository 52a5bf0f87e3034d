// Decides each step: who starts, which rows run, which blocks they use, who gives way when blocks
// run out. Pure: a function of the inputs so far, without clock, files or threads, so it can be
// simulated, fuzzed and replayed. docs/design/scheduler.md states the policy. It neither sees token
// values nor bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
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

enum class Batching : uint8_t {
  kContinuous,  // a place is taken again as soon as it is free
  kStatic,      // up to max_sequences start together, and none joins until all of them are done
};

struct SchedulerConfig {
  int64_t max_sequences = 64;        // running at once
  int64_t max_batched_tokens = 512;  // rows of a step; >= max_sequences
  int64_t prefill_chunk = 512;       // most rows of one sequence in a step
  int64_t max_logit_rows = 64;       // of a step; >= max_sequences
  int64_t block_tokens = 32;
  int64_t slabs = 0;
  std::vector<GroupShape> groups{};
  int depth = 1;  // plans in flight
  bool prefix_caching = true;
  Batching batching = Batching::kContinuous;
  /// > 0: a sequence takes blocks for this many positions (or for all it may compute, where those
  /// are more) when it starts, in every group, and shares none; needs prefix_caching off. 0: blocks
  /// as its rows need them.
  int64_t reserve_tokens = 0;
  int64_t ageing_us = 10'000'000;    // waiting that outweighs one level of priority
  int64_t fair_us_per_token = 1000;  // how far a key's next request steps back for each token
};

/// Why sequences did not start in the last step; each that waits is counted once.
struct WaitingCounts {
  int64_t capacity = 0;      // all places are taken
  int64_t blocks = 0;        // too few are free
  int64_t shared_block = 0;  // somebody computes a block that the sequence will share
  int64_t budget = 0;        // the step's rows are given away

  bool operator==(const WaitingCounts&) const = default;
};

/// Room of the blocks that sequences hold in a KV group, in tokens.
struct KvUse {
  int64_t held_tokens = 0;
  int64_t unused_tokens = 0;  // of these: positions that no row has been planned for
};

/// Counters since the start.
struct SchedulerStats {
  int64_t preemptions = 0;
  int64_t solo_starts = 0;      // of sequences that got the pool to themselves
  int64_t forks = 0;            // sequences that started on another one's blocks
  int64_t block_copies = 0;     // because a shared block was to be written
  int64_t prompt_tokens = 0;    // of sequences at each start, also after a preemption
  int64_t cached_tokens = 0;    // of these, found in the prefix cache
  int64_t drafts = 0;           // rows of guessed tokens
  int64_t accepted_drafts = 0;  // of these, the model's own tokens

  bool operator==(const SchedulerStats&) const = default;
};

class Scheduler {
 public:
  /// kInvalidArgument naming the number that makes no sense.
  static Result<Scheduler> create(SchedulerConfig config);
  /// For the simulator and tests only: with a bug in it.
  static Result<Scheduler> create_planted(SchedulerConfig config, Plant plant);

  /// Takes the input in and decides the next step. At most `depth` plans may be without a
  /// completion.
  StepPlan schedule(const StepInput& input);
  /// kInvalidData naming the field that schedule() would take for a bug: for inputs from outside
  /// the process. Changes nothing.
  Result<void> check(const StepInput& input) const;

  const SchedulerConfig& config() const { return config_; }
  const SchedulerStats& stats() const { return stats_; }
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }
  const WaitingCounts& waiting_for() const { return waiting_for_; }
  /// Of sequences that wait for a block to share: those behind them could start in the last step.
  std::vector<RequestId> passed_over() const;
  std::vector<KvUse> kv_use() const;
  /// Nothing waits or runs and no block waits for a plan.
  bool idle() const { return sequences_.empty() && blocks_.deferred() == 0; }
  const BlockManager& blocks() const { return blocks_; }
  /// Blocks per group that one sequence of a request holds at most.
  BlockDemand demand(const Request& request) const;
  /// The first invariant that does not hold; empty where all do. For simulators and tests.
  std::string audit() const;

 private:
  /// Order of service, lower first; never changes for a sequence.
  struct Rank {
    int64_t tag = 0;
    SequenceId id{};
    auto operator<=>(const Rank&) const = default;
  };
  struct Sequence {
    SequenceId id{};
    int64_t tag = 0;
    Request request{};  // its block_hashes grow with what is generated
    int64_t choice = 0;
    bool admitted = false;
    int64_t planned = 0;           // positions given to plans since the last start
    int64_t logits_planned = 0;    // positions given to plans ever, where all logits are wanted
    int64_t generated = 0;         // tokens accepted
    int64_t yields_in_flight = 0;  // tokens that plans under way will yield
    int64_t drafts_offered = 0;    // guesses at what follows the tokens known
    int64_t drafts_in_flight = 0;  // counted in `planned` until their plan completes
    int64_t published = 0;         // leading blocks offered to the prefix index
    PlanId last_plan{};
    PlanId prompt_plan{};                        // the one that computes the prompt's last row
    std::vector<std::vector<BlockId>> tables{};  // per group, by position / block_tokens
    std::vector<int64_t> dropped{};              // per group: leading entries without a block

    Rank rank() const { return {tag, id}; }
    /// Tokens known or on their way.
    int64_t tokens() const { return request.prompt_tokens + generated + yields_in_flight; }
    /// Rows that could run now: the last token's row is wanted only if another one may follow, and
    /// none while it is open how many drafts are right.
    int64_t rows_left() const {
      return drafts_in_flight > 0 || tokens() > request.positions() ? 0 : tokens() - planned;
    }
  };
  struct Budget {
    int64_t rows = 0;
    int64_t logit_rows = 0;
  };
  /// What keeps a sequence from starting; kNothing where it starts.
  enum class Wait : uint8_t { kNothing, kCapacity, kBlocks, kSharedBlock, kBudget };

  Scheduler(SchedulerConfig config, Plant plant);

  /// Of one sequence, by the completions of an input up to some point.
  struct Taken {
    int64_t tokens = 0;
    int64_t hashes = 0;
    bool finished = false;
  };
  Result<void> check_result(const Sequence& sequence, const SequenceResult& result,
                            Taken& taken) const;  // (check_input.cc)

  // Taking the input in (scheduler.cc).
  void complete(const StepResult& result);
  void accept(Sequence& sequence, const SequenceResult& result);
  void cancel(RequestId request, StepPlan& plan);
  void receive(const Request& request, StepPlan& plan);
  int64_t next_tag(const Request& request, int64_t now_us);
  void finish(SequenceId id);
  void finish_all(RequestId request);
  void shrink_pool(StepPlan& plan);
  void refuse_oversized(StepPlan& plan);

  // Deciding who runs (scheduler.cc).
  void plan_running(StepPlan& plan, Budget& budget);
  void admit(StepPlan& plan, Budget& budget);
  Wait start_waiting(StepPlan& plan, Budget& budget);
  bool places_left() const;
  void plan_rows(Sequence& sequence, StepPlan& plan, Budget& budget);
  void add_step(Sequence& sequence, int64_t rows, bool all_logits, StepPlan& plan, Budget& budget);

  // Guessed tokens (drafting.cc).
  void plan_drafts(StepPlan& plan, Budget& budget);
  void add_drafts(Sequence& sequence, SequenceStep& step, Budget& budget);
  int64_t hold_for_drafts(Sequence& sequence, int64_t from, int64_t most);
  void settle_drafts(Sequence& sequence, int64_t tokens);
  void list_frames(const Sequence& sequence, SequenceStep& step) const;

  // Starting and stopping (placing.cc).
  Wait start(Sequence& sequence, const StepPlan& plan);
  std::optional<bool> fork(Sequence& sequence, const StepPlan& plan);
  int64_t cached_prefix(const Sequence& sequence) const;
  void take_prefix(Sequence& sequence, int64_t blocks);
  bool room_for(const Sequence& sequence) const;
  void stop(Sequence& sequence);
  bool preempt_below(const Rank& rank, StepPlan& plan);
  void preempt(Sequence& sequence, StepPlan& plan);

  // Blocks of one sequence (placing.cc).
  bool hold_blocks(Sequence& sequence, int64_t end, StepPlan& plan);
  std::optional<BlockId> take_block(Sequence& sequence, int group, StepPlan& plan);
  void drop_outside_window(Sequence& sequence, int group);
  void release_when_read(const Sequence& sequence, BlockId block);
  void publish(Sequence& sequence);
  int64_t first_needed_block(int group, int64_t position) const;
  int64_t most_blocks(int group, int64_t positions) const;
  bool reserves() const { return config_.reserve_tokens > 0; }
  int64_t reserved_positions(const Request& request) const;

  SchedulerConfig config_;
  Plant plant_;
  BlockManager blocks_;
  SchedulerStats stats_;
  std::map<SequenceId, Sequence> sequences_;
  std::set<Rank> waiting_;
  std::set<Rank> running_;
  std::map<std::pair<int64_t, int32_t>, int64_t> next_tags_;  // per key and priority
  std::optional<SequenceId> solo_;  // runs with the pool to itself: see take_block()
  bool stalled_ = false;            // somebody who runs got no blocks in this step
  std::set<BlockHash> computing_;   // of blocks that this step's rows fill
  std::vector<SequenceId> passed_over_;
  WaitingCounts waiting_for_;
  bool filling_ = true;       // static batching: the batch may still grow
  int64_t batch_starts_ = 0;  // static batching: sequences that started in this batch
  int64_t last_sequence_ = 0;
  int64_t last_plan_ = 0;
  int64_t completed_plan_ = 0;
};

}  // namespace strata::sched
