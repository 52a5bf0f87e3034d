// Follows an engine's steps: the time of each part, what the scheduler did, how full blocks are.
// The engine tells it about every step; it changes nothing.
#pragma once

#include <array>
#include <cstdint>

#include "base/env.h"
#include "base/thread_time.h"
#include "engine/meter/step_times.h"
#include "engine/prefix_meter.h"
#include "engine/stats.h"
#include "memory/account.h"
#include "memory/kv_pool.h"
#include "sched/scheduler.h"

namespace strata::engine {

/// Splits a step's time: what passed since the last lap belongs to the part that the lap names. All
/// calls of a step come from one thread.
class StepClock {
 public:
  explicit StepClock(Env& env) : env_(&env) {}

  void start() {
    ns_ = {};
    host_cpu_ns_ = 0;
    last_ns_ = env_->now_ns();
    last_cpu_ns_ = thread_cpu_ns();
  }
  void lap(Phase phase) {
    const int64_t now = env_->now_ns();
    ns_[static_cast<size_t>(phase)] += now - last_ns_;
    last_ns_ = now;
    const int64_t cpu = thread_cpu_ns();
    if (is_host_work(phase)) host_cpu_ns_ += cpu - last_cpu_ns_;
    last_cpu_ns_ = cpu;
  }
  const std::array<int64_t, kPhases>& ns() const { return ns_; }
  /// Processor time of the thread in the parts that are host work.
  int64_t host_cpu_ns() const { return host_cpu_ns_; }
  /// Of the last lap, or the start.
  int64_t last_ns() const { return last_ns_; }

 private:
  Env* env_;
  int64_t last_ns_ = 0;
  int64_t last_cpu_ns_ = 0;
  int64_t host_cpu_ns_ = 0;
  std::array<int64_t, kPhases> ns_{};
};

class StatsRecorder {
 public:
  /// `frame_bytes`: of a block, per KV group. `best_hits`: also follow what an unlimited prefix
  /// cache would hit, for at most kRememberedBlocks blocks.
  StatsRecorder(const sched::SchedulerConfig& config, const memory::SlabPlan& slabs,
                bool best_hits);

  /// Once a plan has run and before the scheduler makes the next one.
  void add(const sched::StepInput& input, const sched::StepPlan& plan,
           const sched::StepResult& result, const sched::Scheduler& scheduler);
  /// The parts of the same step; its last lap was kRecord.
  void add_times(const StepClock& clock);

  EngineStats read(Env& env, const sched::Scheduler& scheduler,
                   const memory::MemoryAccount& account) const;

  static constexpr int64_t kRememberedBlocks = 1 << 18;  // 8.4 million tokens in about 13 MB

 private:
  void add_blocks(const sched::Scheduler& scheduler, EngineStats& stats) const;

  memory::SlabPlan slabs_;
  PrefixMeter prefixes_;
  int64_t steps_ = 0, rows_ = 0, requests_ = 0, tokens_out_ = 0;
  std::array<int64_t, kPhases> sum_ns_{};
  std::array<int64_t, kPhases> max_ns_{};
  int64_t host_cpu_ns_ = 0;
  // Of the last plan, until its time is known.
  double step_running_ = 0, step_held_ = 0, step_unused_ = 0;
  PassGroup step_;
  StepTimes step_times_;
  // Sums over steps, weighted by their time.
  double time_ = 0, running_time_ = 0, held_time_ = 0, unused_time_ = 0;
};

}  // namespace strata::engine
