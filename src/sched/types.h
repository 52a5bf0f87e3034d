// What goes into a step, what is decided and what came of it, as plain values: they can be printed,
// stored, replayed and sent to other ranks (serialize.h). Token values are not in here: a plan
// names positions, and the worker knows or is about to sample the token that stands there, so a
// plan may be made before the token of the one before it exists.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace strata::sched {

enum class RequestId : int64_t {};
enum class SequenceId : int64_t {};
enum class PlanId : int64_t {};   // counts from 1 without gaps
enum class BlockId : int64_t {};  // a logical block; where it lies is its frame

constexpr int64_t value(RequestId id) { return static_cast<int64_t>(id); }
constexpr int64_t value(SequenceId id) { return static_cast<int64_t>(id); }
constexpr int64_t value(PlanId id) { return static_cast<int64_t>(id); }
constexpr int64_t value(BlockId id) { return static_cast<int64_t>(id); }

/// Names the content of a full block: its tokens, all tokens before it and whatever else its keys
/// and values depend on. Computed outside; equal hashes are taken for equal content
/// (docs/design/scheduler.md says why that is safe).
struct BlockHash {
  uint64_t high = 0;
  uint64_t low = 0;

  auto operator<=>(const BlockHash&) const = default;
};

/// What a client asked, as far as scheduling is concerned.
struct Request {
  RequestId id{};
  int64_t prompt_tokens = 0;  // >= 1
  int64_t max_tokens = 0;     // >= 1, to generate, by each sequence
  int32_t priority = 0;       // lower is earlier
  int64_t key = 0;            // whose request it is: keys share the machine evenly
  int64_t sequences = 1;      // generations of the same prompt, 1 to kMaxSequencesOfRequest
  bool all_logits = false;    // every row's logits are wanted (of the first sequence)
  /// Of all the prompt's full blocks; or none, then results bring none either.
  std::vector<BlockHash> block_hashes{};

  /// Positions that are ever computed: the last token is sampled but never fed back.
  int64_t positions() const { return prompt_tokens + max_tokens - 1; }
  bool operator==(const Request&) const = default;
};

inline constexpr int64_t kMaxSequencesOfRequest = 128;

enum class FinishReason : uint8_t { kStop, kLength, kCancelled };

/// What one sequence got in a step.
struct SequenceResult {
  SequenceId sequence{};
  std::vector<int32_t> tokens{};           // accepted, in order; may be fewer than planned
  std::optional<FinishReason> finished{};  // set: no further row of the sequence will be used
  std::vector<BlockHash> block_hashes{};   // of the blocks that these tokens filled
  int64_t drafts = 0;  // guesses at the tokens that follow: rows that the next step may add

  bool operator==(const SequenceResult&) const = default;
};

/// What came of a plan. Plans complete in the order in which they were made.
struct StepResult {
  PlanId plan{};
  std::vector<SequenceResult> sequences{};  // those that yielded, finished or were cancelled
  /// No row was computed, and every sequence of the plan has finished: nothing that was written for
  /// it may be found again.
  bool failed = false;

  bool operator==(const StepResult&) const = default;
};

/// What a step costs, measured by the engine; 0 = unknown.
struct StepPrices {
  double step_us = 0;  // for any step
  double row_us = 0;   // for each row

  bool operator==(const StepPrices&) const = default;
};

struct StepInput {
  int64_t now_us = 0;
  std::vector<Request> arrivals{};   // in order of arrival
  std::vector<RequestId> cancels{};  // unknown and finished ones are ignored
  std::vector<StepResult> completions{};
  StepPrices prices{};
  /// From now on at most so many slabs of the pool are used, 1 to SchedulerConfig::slabs; unset: as
  /// before.
  std::optional<int64_t> slab_limit{};

  bool operator==(const StepInput&) const = default;
};

/// Rows of one sequence in a step: tokens at positions first_position .. first_position + rows - 1.
struct SequenceStep {
  SequenceId sequence{};
  int64_t first_position = 0;
  int64_t rows = 0;
  bool yields_token = false;  // the last row's logits choose the sequence's next token
  bool all_logits = false;
  /// How many of the rows, the last ones, are guesses. Their logits and those of the row before
  /// them choose one token more for every guess that turns out right, until the first wrong one.
  int64_t drafts = 0;
  /// Per KV group, by position / block_tokens: the frame of each block up to the last row's; -1 =
  /// dropped.
  std::vector<std::vector<int64_t>> frames{};

  bool operator==(const SequenceStep&) const = default;
};

/// A logical block and where it lies.
struct BlockPlace {
  int group = 0;
  BlockId block{};
  int64_t frame = 0;

  bool operator==(const BlockPlace&) const = default;
};

/// Contents of one frame to another of the same group, before the step's rows run.
struct BlockCopy {
  int group = 0;
  int64_t from_frame = 0;
  int64_t to_frame = 0;

  bool operator==(const BlockCopy&) const = default;
};

/// A sequence's first start. Later ones, after a preemption, show in nothing but its rows.
struct Admission {
  RequestId request{};
  SequenceId sequence{};
  int64_t choice = 0;  // which of the request's sequences

  bool operator==(const Admission&) const = default;
};

/// A request that can never run, or no more since the pool has shrunk, with the numbers that say
/// why.
struct Refusal {
  RequestId request{};
  int64_t needed_blocks = 0;
  int64_t pool_blocks = 0;

  bool operator==(const Refusal&) const = default;
};

/// Carried out in this order: freed, allocated, copies, rows.
struct StepPlan {
  PlanId id{};
  int64_t now_us = 0;
  double predicted_us = 0;  // from the prices; 0 = unknown
  std::vector<Admission> admitted{};
  std::vector<Refusal> refused{};
  std::vector<RequestId> cancelled{};   // those that ended by a cancel, each once
  std::vector<SequenceId> preempted{};  // lost their blocks; their rows start over in a later plan
  std::vector<BlockPlace> freed{};      // no plan before this one that is still running reads them
  std::vector<BlockPlace> allocated{};
  std::vector<BlockCopy> copies{};
  std::vector<SequenceStep> sequences{};  // decodes first

  int64_t rows() const {
    int64_t sum = 0;
    for (const SequenceStep& step : sequences) sum += step.rows;
    return sum;
  }
  bool operator==(const StepPlan&) const = default;
};

}  // namespace strata::sched
