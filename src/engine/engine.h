// The step loop: requests in, tokens out. Owns the mutable state between client and worker: admits,
// schedules, dispatches, commits, publishes. Text goes through it and is made in sampling.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "engine/live_stats.h"
#include "engine/lower_ceiling.h"
#include "engine/meter/answer_meter.h"
#include "engine/opened_model.h"
#include "engine/resolve.h"
#include "engine/stats_recorder.h"
#include "engine/text_budget.h"
#include "engine/trace_writer.h"
#include "engine/worker.h"
#include "sched/scheduler.h"

namespace strata::engine {

struct GenerateRequest {
  std::vector<int32_t> prompt;
  /// Empty: as many as fit, at most kDefaultMaxTokens.
  std::optional<int64_t> max_tokens = {};
  sampling::SamplingParams sampling = {};
  /// Of the model: any of them ends the answer; those outside the vocabulary mean nothing.
  std::vector<int32_t> stop_ids = {};
  int64_t n = 1;                // answers, 1 to sched::kMaxSequencesOfRequest
  int32_t priority = 0;         // lower is earlier
  int64_t key = 0;              // >= 0: requests of different keys share the machine evenly
  std::string cache_salt = {};  // only requests with equal salts share cached blocks
  bool all_logits = false;      // of the prompt and the first answer
  std::optional<int64_t> received_ns = {};  // by Env's clock; empty: when it is submitted
  /// Gets the first answer's logits: of all rows with `all_logits`, else of those that chose
  /// tokens.
  LogitsSink on_logits = {};
  PromptLogprobsSink on_prompt_logprobs = {};
  /// A new one, for the ids to come. Without it updates have no text, and stop strings are refused.
  std::optional<text::Detokenizer> detokenizer = {};
};

inline constexpr int64_t kDefaultMaxTokens = 512;

/// What became of one answer to a request since the last update. `finished` ends the answer;
/// `error` and FinishReason::kCancelled end all answers that have not ended, in one update.
struct Update {
  sched::RequestId request{};
  int64_t choice = 0;
  std::optional<int32_t> token = {};
  std::string text = {};  // became certain; never part of a stop string that may still come
  std::optional<sampling::TokenLogprobs> logprobs = {};
  std::optional<std::string> stop = {};  // the stop string that ended the answer
  std::optional<sched::FinishReason> finished = {};
  std::optional<Status> error = {};
};
using Listener = std::function<void(const Update&)>;

/// All calls but check() come from one thread; listeners run inside step().
class Engine {
 public:
  /// `env` and `opened` must outlive the engine.
  static Result<std::unique_ptr<Engine>> create(Env& env, const OpenedModel& opened,
                                                const ResolvedConfig& config,
                                                const model::LoadOptions& load);

  /// Refuses an empty prompt, ids outside the vocabulary, bad sampling parameters, an `n` or `key`
  /// out of range and what exceeds the maximum context length. From any thread.
  Result<void> check(const GenerateRequest& request) const;
  /// kBusy where so many more cannot wait now, kResourceLimit where they never could.
  Result<void> check_room(int64_t requests) const;
  /// Refuses (nothing changes) what the two checks refuse.
  Result<sched::RequestId> submit(GenerateRequest request, Listener listener);
  /// Ends a request with FinishReason::kCancelled in the next step; ignored where it has ended.
  void cancel(sched::RequestId id);
  /// `stop` is asked in the midst of a step, from step()'s thread; true cancels the requests that
  /// run in it.
  void set_stop_check(memory::StopCheck stop) { worker_->set_stop_check(std::move(stop)); }
  /// Runs one step; false once nothing is waiting or running.
  bool step();
  /// Shows each step's plan once it has been carried out, from step()'s thread: for whoever counts
  /// what steps had to do.
  void set_plan_listener(std::function<void(const sched::StepPlan&)> listener) {
    plan_listener_ = std::move(listener);
  }

  /// Lowers what the process may hold. Weights leave memory at once, and those that stay are read
  /// anew; the KV pool shrinks in the next step: cached blocks go, the last in order start over,
  /// and who can never fit any more ends with an error. Where weights cannot be read again every
  /// request ends with that error, now and later.
  Result<LoweredCeiling> lower_ceiling(int64_t memory_bytes);

  /// Where whoever takes requests in reserves what they and their answers may come to; held_bytes()
  /// says what of that is the engine's, own_bytes() what the request has charged to it already.
  TextBudget& text() { return text_; }
  int64_t held_bytes(const GenerateRequest& request) const;
  static int64_t own_bytes(const GenerateRequest& request);
  const Worker& worker() const { return *worker_; }
  Worker& worker() { return *worker_; }
  const ResolvedConfig& config() const { return config_; }
  /// Requests that have not started. From any thread: whoever has heard of a request's start or end
  /// no longer finds it here.
  int64_t queued() const { return queued_; }
  EngineStats stats() const;
  /// Where another thread may ask for stats(); steps answer.
  LiveStats& live() { return live_; }
  /// For who sleeps while there are no steps: answers whoever asks. A lower ceiling may leave work
  /// for a step.
  void answer_live();
  /// After step() has returned false, or where nobody waits for the rest: takes in the last
  /// results, ends the trace and writes the statistics where files are wanted.
  Result<void> close();

 private:
  struct Files {
    std::optional<TraceWriter> trace = {};
    std::unique_ptr<WritableFile> stats = {};  // null: not wanted
  };
  static Result<Files> open_files(Env& env, const OpenedModel& opened, const ResolvedConfig& config,
                                  const sched::SchedulerConfig& scheduler);
  Engine(Env& env, const OpenedModel& opened, ResolvedConfig config, std::unique_ptr<Worker> worker,
         sched::Scheduler scheduler, Files files);
  void announce(sched::RequestId id, int64_t max_tokens, GenerateRequest request);
  Result<int64_t> checked_max_tokens(const GenerateRequest& request) const;
  void publish_decisions(const sched::StepPlan& plan);
  void publish_tokens(const StepOutput& output);
  void publish_stop(const sched::StepResult& result);
  void publish(const sched::SequenceResult& result, const std::vector<TokenOutput>& tokens,
               const std::optional<Status>& error);
  void end_sequence(sched::SequenceId id);
  void end(sched::RequestId id, const Update& update);

  struct Active {
    Listener listener;
    int64_t answers_left = 1;
    bool started = false;  // one of its answers has been admitted
  };
  struct Answer {
    sched::RequestId request{};
    int64_t choice = 0;
  };

  Env& env_;
  const OpenedModel& opened_;
  ResolvedConfig config_;
  std::unique_ptr<Worker> worker_;
  TextBudget text_;
  sched::Scheduler scheduler_;
  StepClock clock_;
  StatsRecorder recorder_;
  AnswerMeter meter_;
  Files files_;
  LiveStats live_;
  std::function<void(const sched::StepPlan&)> plan_listener_;
  sched::StepInput next_;  // arrivals, cancels and completions since the last step
  std::map<sched::RequestId, Active> active_;
  std::map<sched::SequenceId, Answer> answers_;  // under way
  ChainKey chain_key_ = ChainKey::random();
  int64_t last_request_ = 0;
  std::atomic<int64_t> queued_ = 0;  // requests that have not started
};

}  // namespace strata::engine
