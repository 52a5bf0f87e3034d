// Sums, and what follows from them.
#include "engine/stats_recorder.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "sched/step_model.h"

namespace strata::engine {
namespace {

// "VmRSS:    1234 kB" in the kernel's file; 0 where it says nothing.
int64_t resident_bytes(Env& env) {
  const auto text = env.read_system_file("/proc/self/status");
  if (!text) return 0;
  const size_t at = text->find("VmRSS:");
  if (at == std::string::npos) return 0;
  const size_t digits = text->find_first_of("0123456789", at);
  if (digits == std::string::npos) return 0;
  int64_t kilobytes = 0;
  std::from_chars(text->data() + digits, text->data() + text->size(), kilobytes);
  return kilobytes * 1024;
}

// Without its time.
PassGroup pass_of(const sched::StepPlan& plan) {
  PassGroup pass{.rows = plan.rows(), .passes = 1, .context = sched::context_of(plan)};
  for (const sched::SequenceStep& step : plan.sequences) {
    const int64_t logits = step.all_logits ? step.rows : step.yields_token ? 1 + step.drafts : 0;
    pass.logit_rows += logits;
  }
  return pass;
}

}  // namespace

StatsRecorder::StatsRecorder(const sched::SchedulerConfig& config, const memory::SlabPlan& slabs,
                             bool best_hits)
    : slabs_(slabs), prefixes_(config.block_tokens, best_hits ? kRememberedBlocks : 0) {}

void StatsRecorder::add(const sched::StepInput& input, const sched::StepPlan& plan,
                        const sched::StepResult& result, const sched::Scheduler& scheduler) {
  prefixes_.add(input, plan);
  for (const sched::Admission& admission : plan.admitted) requests_ += admission.choice == 0;
  for (const sched::SequenceResult& entry : result.sequences) {
    tokens_out_ += static_cast<int64_t>(entry.tokens.size());
  }
  rows_ += plan.rows();
  step_ = pass_of(plan);
  steps_ += plan.sequences.empty() ? 0 : 1;
  step_running_ = static_cast<double>(scheduler.running());
  step_held_ = step_unused_ = 0;
  const std::vector<sched::KvUse> use = scheduler.kv_use();
  for (size_t g = 0; g < use.size(); g++) {
    const auto bytes = static_cast<double>(slabs_.frame_bytes[g]);
    step_held_ += static_cast<double>(use[g].held_tokens) * bytes;
    step_unused_ += static_cast<double>(use[g].unused_tokens) * bytes;
  }
}

void StatsRecorder::add_times(const StepClock& clock) {
  double time = 0;
  for (size_t i = 0; i < kPhases; i++) {
    sum_ns_[i] += clock.ns()[i];
    max_ns_[i] = std::max(max_ns_[i], clock.ns()[i]);
    time += static_cast<double>(clock.ns()[i]);
  }
  host_cpu_ns_ += clock.host_cpu_ns();
  if (step_.rows == 0) return;
  step_.seconds = time * 1e-9;
  step_times_.add(step_);
  time_ += time;
  running_time_ += step_running_ * time;
  held_time_ += step_held_ * time;
  unused_time_ += step_unused_ * time;
}

EngineStats StatsRecorder::read(Env& env, const sched::Scheduler& scheduler,
                                const memory::MemoryAccount& account) const {
  EngineStats stats{.running = scheduler.running(),
                    .waiting = scheduler.waiting(),
                    .waiting_for = scheduler.waiting_for(),
                    .rss_bytes = resident_bytes(env),
                    .steps = steps_,
                    .rows = rows_,
                    .requests = requests_,
                    .tokens_in = prefixes_.prompt_tokens(),
                    .tokens_out = tokens_out_,
                    .scheduler = scheduler.stats(),
                    .hit_tokens = prefixes_.hit_tokens(),
                    .best_hit_tokens = prefixes_.best_hit_tokens()};
  add_blocks(scheduler, stats);
  stats.passes = step_times_.groups();
  for (int tag = 0; tag < memory::kMemoryTags; tag++) {
    const auto which = static_cast<memory::MemoryTag>(tag);
    stats.memory.push_back({std::string(memory::tag_name(which)), account.bytes(which)});
  }
  for (size_t i = 0; i < kPhases; i++) {
    stats.phases[i] = {static_cast<double>(sum_ns_[i]) * 1e-3,
                       static_cast<double>(max_ns_[i]) * 1e-3};
  }
  stats.host_cpu_us = static_cast<double>(host_cpu_ns_) * 1e-3;
  if (time_ > 0) stats.mean_running = running_time_ / time_;
  if (held_time_ > 0) stats.kv_waste_share = unused_time_ / held_time_;
  const StepTimes::Line line = step_times_.line();
  stats.step_us = line.step_us;
  stats.row_us = line.row_us;
  stats.context_us = step_times_.context_us();
  return stats;
}

void StatsRecorder::add_blocks(const sched::Scheduler& scheduler, EngineStats& stats) const {
  const sched::BlockManager& blocks = scheduler.blocks();
  for (int g = 0; g < blocks.groups(); g++) {
    const auto i = static_cast<size_t>(g);
    stats.groups.push_back({.used_blocks = blocks.live_blocks(g),
                            .shared_blocks = blocks.shared_blocks(g),
                            .cached_blocks = blocks.cached_blocks(g),
                            .free_blocks = blocks.free_blocks(g),
                            .window = scheduler.config().groups[i].window,
                            .block_bytes = slabs_.frame_bytes[i]});
    const int64_t rest = slabs_.slab_bytes - slabs_.frames_per_slab[i] * slabs_.frame_bytes[i];
    stats.slab_waste_bytes += blocks.owned_slabs(g) * rest;
  }
}

}  // namespace strata::engine
