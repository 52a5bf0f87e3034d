// The step loop: requests in, tokens out. Owns the mutable state between client and worker: admits,
// schedules, dispatches, commits, publishes. Knows ids only; text is made above.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "engine/opened_model.h"
#include "engine/resolve.h"
#include "engine/worker.h"
#include "sched/scheduler.h"

namespace strata::engine {

struct GenerateRequest {
  std::vector<int32_t> prompt;
  /// Empty: as many as fit, at most kDefaultMaxTokens.
  std::optional<int64_t> max_tokens = {};
  sampling::SamplingParams sampling = {};
  std::vector<int32_t> stop_ids = {};
  bool all_logits = false;
  LogitsSink on_logits = {};
};

inline constexpr int64_t kDefaultMaxTokens = 512;

/// What became of a request since the last update. The one with `finished` or `error` is the last.
struct Update {
  sched::RequestId request{};
  std::optional<int32_t> token = {};
  std::optional<sched::FinishReason> finished = {};
  std::optional<Status> error = {};
};
using Listener = std::function<void(const Update&)>;

/// All calls come from one thread; listeners run inside step().
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> create(Env& env, const OpenedModel& opened,
                                                const ResolvedConfig& config,
                                                const model::LoadOptions& load);

  /// Refuses (nothing changes) an empty prompt, ids outside the vocabulary, bad sampling parameters
  /// and what exceeds the maximum context length.
  Result<sched::RequestId> submit(GenerateRequest request, Listener listener);
  /// Ends a request with FinishReason::kCancelled in the next step; ignored where it has ended.
  void cancel(sched::RequestId id);
  /// Runs one step; false once nothing is waiting or running.
  bool step();

  const Worker& worker() const { return *worker_; }
  Worker& worker() { return *worker_; }
  const ResolvedConfig& config() const { return config_; }

 private:
  Engine(Env& env, ResolvedConfig config, std::unique_ptr<Worker> worker,
         sched::Scheduler scheduler);
  Result<int64_t> checked_max_tokens(const GenerateRequest& request) const;
  void publish_decisions(const sched::StepPlan& plan);
  void publish_tokens(const StepOutput& output);
  void end(sched::RequestId id, const Update& update);

  struct Active {
    Listener listener;
    std::optional<sched::SequenceId> sequence;
  };

  Env& env_;
  ResolvedConfig config_;
  std::unique_ptr<Worker> worker_;
  sched::Scheduler scheduler_;
  sched::StepInput next_;  // arrivals, cancels and completions since the last step
  std::map<sched::RequestId, Active> active_;
  std::map<sched::SequenceId, sched::RequestId> request_of_;
  int64_t last_request_ = 0;
};

}  // namespace strata::engine
