// What an engine did and holds, as plain numbers: one field list makes the names of --stats; the
// server's table of metrics reads the same. Filled by the recorder (stats_recorder.h); measures
// nothing by itself.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/meter/answer_stats.h"
#include "memory/ring.h"
#include "sched/scheduler.h"

namespace strata::engine {

/// Parts of a step, in the order in which they run. All but kForward, kSample and kDraft are
/// host work.
enum class Phase : uint8_t {
  kSchedule,  // deciding, and telling requests about decisions
  kPrepare,   // frames, copies, the flat batch
  kForward,   // the model
  kSample,    // passes over rows of logits
  kText,      // tokens into text, listeners
  kDraft,     // guesses at the next tokens: looking back, or a smaller model
  kRecord,    // statistics and the trace
};
inline constexpr size_t kPhases = 7;
std::string_view phase_name(Phase phase);
constexpr bool is_host_work(Phase phase) {
  return phase != Phase::kForward && phase != Phase::kSample && phase != Phase::kDraft;
}

struct PhaseTime {
  double sum_us = 0;
  double max_us = 0;
};

/// Blocks of one KV group. Free ones count slabs that any group may take.
struct GroupStats {
  int64_t used_blocks = 0;    // with references
  int64_t shared_blocks = 0;  // of these, with more than one
  int64_t cached_blocks = 0;  // without references, to be found by their hash
  int64_t free_blocks = 0;
  int64_t window = 0;       // tokens; 0: all are kept
  int64_t block_bytes = 0;  // of one block
};

struct MemoryUse {
  std::string tag;
  int64_t bytes = 0;
};

/// Steps of one number of rows, together.
struct PassGroup {
  int64_t rows = 0;  // of each
  int64_t passes = 0;
  int64_t logit_rows = 0;  // sums over the passes
  int64_t context = 0;     // tokens that their rows' sequences look at
  double seconds = 0;
};

struct EngineStats {
  // At the moment.
  int64_t running = 0;  // sequences
  int64_t waiting = 0;
  sched::WaitingCounts waiting_for{};
  std::vector<GroupStats> groups{};
  std::vector<MemoryUse> memory{};
  int64_t rss_bytes = 0;         // of the process; 0 = unknown
  int64_t slab_waste_bytes = 0;  // in slabs with an owner: what no block can use
  int64_t ceiling_bytes = 0;     // what the process may hold; 0 = unknown
  int64_t resident_weight_bytes = 0;
  int64_t streamed_weight_bytes = 0;
  // Since the start.
  int64_t steps = 0;  // plans with rows
  int64_t rows = 0;
  int64_t requests = 0;  // that have started
  int64_t tokens_in = 0;
  int64_t tokens_out = 0;
  sched::SchedulerStats scheduler{};
  int64_t hit_tokens = 0;                    // of tokens_in, not computed
  std::optional<int64_t> best_hit_tokens{};  // with a cache without limits
  double mean_running = 0;                   // over the time of steps
  double kv_waste_share = 0;                 // bytes that no token fills, of those held, ditto
  std::array<PhaseTime, kPhases> phases{};   // of steps
  double host_cpu_us = 0;                    // processor time of the engine's thread in host work
  std::vector<PassGroup> passes{};           // ascending in rows
  std::optional<memory::RingStats> ring{};   // where weights are streamed
  double step_us = 0;                        // a step's time is about step_us + rows * row_us
  double row_us = 0;
  double context_us = 0;  // of a step's time, for each token that it looks at
  AnswerStats answers{};

  double total_us() const;
  /// Whatever is neither the forward nor a pass over logits, by the clock: it also counts what
  /// other threads took from the engine's. host_cpu_us does not.
  double host_us() const;
};

Json to_json(const EngineStats& stats);

/// "64 requests, 9012 tokens in, 4096 out in 12.3 s of steps (333 tokens/s); ...": one line.
std::string summary(const EngineStats& stats);

}  // namespace strata::engine
