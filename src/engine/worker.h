// Executes StepPlans on one rank: owns the model, its memory, the KV pool and the tokens of running
// sequences. It decides nothing: what runs where comes with the plan, what follows goes back as a
// StepResult.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/compute_pool.h"
#include "base/status.h"
#include "device/device.h"
#include "engine/batch.h"
#include "engine/block_chain.h"
#include "engine/drafter.h"
#include "engine/mask_ahead.h"
#include "engine/opened_model.h"
#include "engine/resolve.h"
#include "engine/stats_recorder.h"
#include "kernels/kernel_table.h"
#include "memory/account.h"
#include "memory/kv_pool.h"
#include "model/forward.h"
#include "sampling/sampler.h"
#include "sched/types.h"

namespace strata::engine {

/// Logits of consecutive positions of one sequence, f32 [rows][vocab]; the span is valid during the
/// call.
using LogitsSink = std::function<void(int64_t first_position, std::span<const float> rows)>;

/// The logprobs of the prompt's token at `position`, given those before it. A position may come
/// again with the same value, where a sequence is computed anew.
using PromptLogprobsSink =
    std::function<void(int64_t position, const sampling::TokenLogprobs& logprobs)>;

/// What the worker must know of a request before a plan admits a sequence of it.
struct WorkerRequest {
  std::vector<int32_t> prompt;
  int64_t max_tokens = 0;
  sampling::SamplingParams sampling;
  std::vector<int32_t> stop_ids;  // any of them ends the sequence
  LogitsSink on_logits;           // of the first answer's rows: all, or those that chose a token
  PromptLogprobsSink on_prompt_logprobs = {};
  std::optional<text::Detokenizer> detokenizer = {};
  /// Has seen the prompt; empty: no block is to be found again.
  std::optional<BlockChain> chain = {};
};

/// What a sequence's token brought besides its id.
struct TokenOutput {
  std::string text = {};
  std::optional<sampling::TokenLogprobs> logprobs = {};
  std::optional<std::string> stop = {};  // the stop string that ended the sequence
};

struct StepOutput {
  sched::StepResult result;
  std::vector<std::vector<TokenOutput>> tokens;  // of each of result.sequences, by token
  /// Sequences that cannot go on, with the reason; they are finished in `result`. A step that
  /// failed without any was stopped.
  std::vector<std::pair<sched::SequenceId, Status>> failures;
};

/// One thread uses it: worker 0 of its pool.
class Worker {
 public:
  /// Loads the weights; `progress` is called from loading threads, never by two at once. `env` and
  /// `opened` must outlive the worker.
  static Result<std::unique_ptr<Worker>> create(Env& env, const OpenedModel& opened,
                                                const ResolvedConfig& config,
                                                const model::LoadOptions& load);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Announces a request; remove it once it has ended.
  void add(sched::RequestId id, WorkerRequest request);
  void remove(sched::RequestId id) { requests_.erase(id); }
  /// Drops a sequence that no later plan names.
  void remove(sched::SequenceId id);

  /// Asked between units of the weights, and while one is waited for: true ends the step, and what
  /// runs in it, as cancelled.
  void set_stop_check(memory::StopCheck stop) { stop_ = std::move(stop); }
  /// Laps of `clock`: preparing, the forward, sampling. Where weights cannot be read the step has
  /// failed: every sequence of the plan is finished, with the reason.
  StepOutput execute(const sched::StepPlan& plan, StepClock& clock);

  /// The text that a sequence still held back when it was cancelled; none where it never ran.
  std::string rest_of_text(sched::SequenceId id);

  /// Between steps: gives the weights' memory back and places them anew. After a failure every
  /// step fails with it.
  Result<void> place_weights(const placement::PlacementPlan& plan);
  /// Plans to come keep to so many slabs of the KV pool.
  void limit_pool(int64_t slabs) { kv_pool_->set_limit(slabs); }

  const model::Model& model() const { return *model_; }
  /// Null where all weights are in memory.
  const memory::Ring* ring() const;
  memory::MemoryAccount& account() { return account_; }
  const memory::MemoryAccount& account() const { return account_; }
  const kernels::KernelTable& kernel_table() const { return *table_; }
  const memory::KvPool& kv_pool() const { return *kv_pool_; }
  ComputePool& pool() { return *pool_; }

 private:
  struct Sequence {
    std::shared_ptr<const WorkerRequest> request;
    std::optional<BlockChain> chain;
    std::vector<int32_t> tokens;  // prompt and generated
    sampling::DecodeState state;
    std::vector<int32_t> drafts{};  // guesses at what follows, as offered to the scheduler
    int64_t generated() const {
      return static_cast<int64_t>(tokens.size() - request->prompt.size());
    }
  };
  struct Announced {
    std::shared_ptr<const WorkerRequest> request;
    sampling::DecodeState start;  // before the first token
  };
  struct Draw {
    size_t index = 0;  // into plan.sequences
    size_t entry = 0;  // into the results
    int64_t row = 0;   // among the sequence's logits
    Result<sampling::Sampled> sampled = sampling::Sampled{};
  };

  Worker(Env& env, const OpenedModel& opened) : env_(env), opened_(opened) {}
  Result<model::Weights> load(const placement::PlacementPlan& plan);
  Result<model::Weights> load_and_make_pool(const ResolvedConfig& config);
  Result<void> allocate(const ResolvedConfig& config);
  Result<void> prepare_drafts(const OpenedModel& opened, const ResolvedConfig& config);
  void admit(const sched::Admission& admission);
  void move_blocks(const sched::StepPlan& plan);
  void run_copies(const sched::StepPlan& plan);
  void build_batch(const sched::StepPlan& plan);
  std::vector<sampling::DecodeState*> guided(const sched::StepPlan& plan);
  void publish_logits(const sched::StepPlan& plan, const StepOutput& output);
  void publish_prompt_logprobs(const sched::StepPlan& plan);
  std::vector<Draw> first_draws(const sched::StepPlan& plan, StepOutput& output) const;
  void draw_tokens(const sched::StepPlan& plan, std::vector<Draw>& draws);
  static void take_token(Sequence& sequence, sampling::Sampled sampled,
                         sched::SequenceResult& result, TokenOutput& made);
  std::vector<Draw> accept(const sched::StepPlan& plan, std::vector<Draw> draws,
                           StepOutput& output);
  void offer_drafts(StepOutput& output);
  static void fail_step(const sched::StepPlan& plan, const Status& reason, StepOutput& output);
  std::span<float> logits_of(size_t index, int64_t row);

  Env& env_;
  const OpenedModel& opened_;
  memory::MemoryAccount account_;  // first in, last out: charges below refer to it
  memory::StopCheck stop_;
  std::optional<Status> broken_;  // there are no weights, and will not be
  std::unique_ptr<device::Device> device_;
  std::unique_ptr<ComputePool> pool_;
  std::unique_ptr<kernels::KernelTable> table_;
  memory::Charge weights_charge_;  // of weights that are resident as one piece
  model::LoadOptions load_;
  IoKind io_ = IoKind::kAuto;
  std::unique_ptr<model::Model> model_;
  std::unique_ptr<memory::KvPool> kv_pool_;
  device::Buffer workspace_;
  device::Buffer logits_;
  std::vector<memory::Charge> charges_;
  std::vector<sampling::SamplerScratch> scratch_;  // per thread
  Batch batch_;
  int64_t most_drafts_ = 0;
  std::unique_ptr<Drafter> drafter_;  // null: no speculation
  std::map<sched::RequestId, Announced> requests_;
  std::map<sched::SequenceId, Sequence> sequences_;
  std::unique_ptr<MaskAhead> masks_;  // last in, first out: its thread uses sequences
};

}  // namespace strata::engine
