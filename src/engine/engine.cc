// Submission checks and the step loop.
#include "engine/engine.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/version.h"

namespace strata::engine {
namespace {

Result<void> check_ids(const std::vector<int32_t>& ids, int64_t vocab) {
  if (ids.empty()) {
    return fail(Code::kInvalidArgument, "empty prompt", {}, "at least one token");
  }
  for (size_t i = 0; i < ids.size(); i++) {
    if (ids[i] >= 0 && ids[i] < vocab) continue;
    return fail(Code::kInvalidArgument, fmt::format("ids[{}]", i), fmt::format("{}", ids[i]),
                fmt::format("a token id from 0 to {}", vocab - 1));
  }
  return {};
}

Result<void> check_range(const char* what, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return fail(Code::kInvalidArgument, what, fmt::format("{}", value),
              fmt::format("{} to {}", least, most));
}

Result<void> check_text(const GenerateRequest& request) {
  if (request.sampling.stop.empty() || request.detokenizer) return {};
  return fail(Code::kUnsupported, "stop strings without a tokenizer", {}, {},
              "this model has no tokenizer.json: give stop_token_ids");
}

Ending ending_of(sched::FinishReason reason) {
  return reason == sched::FinishReason::kStop ? Ending::kStop : Ending::kLength;
}

sched::SchedulerConfig scheduler_config(const ResolvedConfig& config,
                                        const model::KvLayout& layout) {
  sched::SchedulerConfig made{.max_sequences = config.max_num_seqs,
                              .max_batched_tokens = config.step_rows,
                              .prefill_chunk = config.prefill_chunk,
                              .max_logit_rows = config.max_logit_rows,
                              .block_tokens = config.block_tokens,
                              .slabs = config.slabs,
                              .prefix_caching = config.prefix_caching,
                              .batching = config.batching,
                              .reserve_tokens = config.reserve_max ? config.max_model_len : 0};
  for (size_t g = 0; g < layout.groups.size(); g++) {
    made.groups.push_back({.frames_per_slab = config.slab_plan.frames_per_slab[g],
                           .window = layout.groups[g].window});
  }
  return made;
}

}  // namespace

Engine::Engine(Env& env, const OpenedModel& opened, ResolvedConfig config,
               std::unique_ptr<Worker> worker, sched::Scheduler scheduler, Files files)
    : env_(env),
      opened_(opened),
      config_(std::move(config)),
      worker_(std::move(worker)),
      text_(worker_->account(), config_.text_bytes),
      scheduler_(std::move(scheduler)),
      clock_(env),
      recorder_(scheduler_.config(), config_.slab_plan, !config_.stats.empty()),
      files_(std::move(files)) {}

Result<std::unique_ptr<Engine>> Engine::create(Env& env, const OpenedModel& opened,
                                               const ResolvedConfig& config,
                                               const model::LoadOptions& load) {
  const model::KvLayout layout =
      model::make_kv_layout(opened.spec(), config.kind, config.block_tokens);
  auto scheduler = TRY(sched::Scheduler::create(scheduler_config(config, layout)));
  Files files = TRY(open_files(env, opened, config, scheduler.config()));
  auto worker = TRY(Worker::create(env, opened, config, load));
  return std::unique_ptr<Engine>(
      new Engine(env, opened, config, std::move(worker), std::move(scheduler), std::move(files)));
}

// Before the weights: a file that cannot be written is said at once.
Result<Engine::Files> Engine::open_files(Env& env, const OpenedModel& opened,
                                         const ResolvedConfig& config,
                                         const sched::SchedulerConfig& scheduler) {
  Files files;
  if (!config.trace_steps.empty()) {
    files.trace = TRY(TraceWriter::open(
        env, config.trace_steps,
        {.program = std::string(kProgram), .model = opened.source().name, .scheduler = scheduler}));
  }
  if (!config.stats.empty()) {
    files.stats = TRY(in_file("--stats", env.open_writable(config.stats, WriteMode::kTruncate)));
  }
  return files;
}

Result<int64_t> Engine::checked_max_tokens(const GenerateRequest& request) const {
  const int64_t limit = config_.max_model_len;
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  const int64_t wanted = request.max_tokens.value_or(1);
  if (wanted < 1) {
    return fail(Code::kInvalidArgument, "max_tokens", fmt::format("{}", wanted), "at least 1");
  }
  if (prompt >= limit || wanted > limit - prompt) {
    return fail(Code::kInvalidArgument,
                fmt::format("This model's maximum context length is {} tokens", limit),
                fmt::format("{} in the prompt and {} to generate", prompt, wanted), {},
                "shorten the prompt, lower max_tokens, or raise --max-model-len");
  }
  return request.max_tokens.value_or(std::min(kDefaultMaxTokens, limit - prompt));
}

EngineStats Engine::stats() const {
  EngineStats stats = recorder_.read(env_, scheduler_, worker_->account());
  if (worker_->ring() != nullptr) stats.ring = worker_->ring()->stats();
  stats.ceiling_bytes = config_.memory_bytes;
  stats.resident_weight_bytes = config_.placement.resident_bytes;
  stats.streamed_weight_bytes = config_.placement.streamed_bytes;
  stats.answers = meter_.stats();
  return stats;
}

Result<void> Engine::check(const GenerateRequest& request) const {
  const int64_t vocab = worker_->model().spec().vocab;
  TRY(check_ids(request.prompt, vocab));
  TRY(check_range("n", request.n, 1, sched::kMaxSequencesOfRequest));
  TRY(check_range("key", request.key, 0, std::numeric_limits<int64_t>::max()));
  const int64_t max_tokens = TRY(checked_max_tokens(request));
  TRY(sampling::validate(request.sampling, {.vocab = vocab, .max_tokens = max_tokens}));
  return check_text(request);
}

// Ids, counts and hashes of tokens, and what stands around them.
int64_t Engine::held_bytes(const GenerateRequest& request) const {
  constexpr int64_t kRequest = 8192, kAnswer = 4096, kPromptToken = 16, kToken = 40;
  const auto prompt = static_cast<int64_t>(request.prompt.size());
  const int64_t room = std::max<int64_t>(1, config_.max_model_len - prompt);
  const int64_t tokens = std::min(request.max_tokens.value_or(kDefaultMaxTokens), room);
  int64_t answer = kAnswer + kPromptToken * prompt + kToken * tokens;
  // A model that guesses draws with a copy of the answer's state.
  const bool by_ngrams = config_.speculation.method == "ngram";
  const int64_t states = config_.speculation.by_model() ? 2 : 1;
  if (by_ngrams) answer += NgramIndex::most_bytes(config_.speculation.lookup, prompt + tokens);
  if (request.sampling.grammar) answer += states * request.sampling.grammar->guide_bytes(tokens);
  return kRequest + kPromptToken * prompt + request.n * answer;
}

int64_t Engine::own_bytes(const GenerateRequest& request) {
  return request.sampling.grammar ? request.sampling.grammar->owned_bytes() : 0;
}

Result<void> Engine::check_room(int64_t requests) const {
  const int64_t most = config_.max_queued_requests;
  if (queued_ + requests <= most) return {};
  if (requests > most) {
    return fail(Code::kResourceLimit, "too many prompts at once", fmt::format("{}", requests),
                fmt::format("at most {}", most), "raise --max-queued-requests, or send fewer");
  }
  return fail(Code::kBusy, "too many requests are waiting", fmt::format("{} more", requests),
              fmt::format("at most {}", most - queued_), "try again later");
}

Result<sched::RequestId> Engine::submit(GenerateRequest request, Listener listener) {
  TRY(check(request));
  TRY(check_room(1));
  const int64_t vocab = worker_->model().spec().vocab;
  const int64_t max_tokens = TRY(checked_max_tokens(request));
  std::erase_if(request.stop_ids, [&](int32_t id) { return id < 0 || id >= vocab; });
  const auto id = static_cast<sched::RequestId>(++last_request_);
  active_[id] = {.listener = std::move(listener), .answers_left = request.n};
  queued_++;
  announce(id, max_tokens, std::move(request));
  return id;
}

void Engine::announce(sched::RequestId id, int64_t max_tokens, GenerateRequest request) {
  meter_.arrive(id, {.received_ns = request.received_ns.value_or(env_.now_ns()),
                     .prompt_tokens = std::ssize(request.prompt),
                     .max_tokens = max_tokens,
                     .answers = request.n});
  std::optional<BlockChain> chain;
  std::vector<sched::BlockHash> hashes;
  if (config_.prefix_caching) {
    chain.emplace(chain_key_, request.cache_salt, config_.block_tokens);
    hashes = chain->extend(request.prompt);
  }
  next_.arrivals.push_back(
      {.id = id,
       .prompt_tokens = static_cast<int64_t>(request.prompt.size()),
       .max_tokens = max_tokens,
       .priority = request.priority,
       .key = request.key,
       .sequences = request.n,
       .all_logits = request.all_logits || request.sampling.prompt_logprobs.has_value(),
       .block_hashes = std::move(hashes)});
  worker_->add(id, {.prompt = std::move(request.prompt),
                    .max_tokens = max_tokens,
                    .sampling = std::move(request.sampling),
                    .stop_ids = std::move(request.stop_ids),
                    .on_logits = std::move(request.on_logits),
                    .on_prompt_logprobs = std::move(request.on_prompt_logprobs),
                    .detokenizer = std::move(request.detokenizer),
                    .chain = chain});
}

void Engine::cancel(sched::RequestId id) {
  if (active_.contains(id)) next_.cancels.push_back(id);
}

bool Engine::step() {
  const bool news = !next_.arrivals.empty() || !next_.cancels.empty() || next_.slab_limit;
  if (active_.empty() && !news && scheduler_.idle()) return false;
  clock_.start();
  next_.now_us = env_.now_ns() / 1000;
  const sched::StepInput input = std::exchange(next_, {});
  const sched::StepPlan plan = scheduler_.schedule(input);
  publish_decisions(plan);
  clock_.lap(Phase::kSchedule);
  StepOutput output = worker_->execute(plan, clock_);
  publish_tokens(output);
  clock_.lap(Phase::kText);
  recorder_.add(input, plan, output.result, scheduler_);
  if (!plan.sequences.empty()) meter_.add_step(plan.rows());
  if (files_.trace) files_.trace->add(input, plan, output.result);
  if (plan_listener_) plan_listener_(plan);
  clock_.lap(Phase::kRecord);
  recorder_.add_times(clock_);
  answer_live();
  next_.completions.push_back(std::move(output.result));
  return !active_.empty();
}

Result<LoweredCeiling> Engine::lower_ceiling(int64_t memory_bytes) {
  LoweredCeiling lowered = TRY(engine::lower_ceiling(config_, opened_.plan(), memory_bytes));
  if (lowered.moves_weights) TRY(worker_->place_weights(lowered.placement));
  worker_->limit_pool(lowered.slabs);
  next_.slab_limit = lowered.slabs;
  config_.memory_bytes = lowered.memory_bytes;
  config_.placement = lowered.placement;
  config_.slabs = lowered.slabs;
  return lowered;
}

void Engine::answer_live() {
  if (!live_.wanted()) return;
  if (const std::optional<int64_t> memory_bytes = live_.memory_wanted()) {
    live_.answer(to_json(lower_ceiling(*memory_bytes), config_.slab_plan.slab_bytes));
  } else {
    live_.answer(to_json(stats()).dump(2) + "\n");
  }
}

Result<void> Engine::close() {
  if (active_.empty() && !next_.completions.empty()) step();
  if (files_.trace) files_.trace->close();
  if (!files_.stats) return {};
  TRY(files_.stats->write(to_json(stats()).dump(2) + "\n"));
  return std::exchange(files_.stats, nullptr)->close();
}

void Engine::publish_decisions(const sched::StepPlan& plan) {
  for (const sched::Admission& admission : plan.admitted) {
    answers_[admission.sequence] = {admission.request, admission.choice};
    meter_.start(admission.sequence, admission.request, clock_.last_ns());
    queued_ -= !std::exchange(active_.at(admission.request).started, true);
  }
  for (const sched::Refusal& refusal : plan.refused) {
    end(refusal.request,
        {.request = refusal.request,
         .error = Status{Code::kResourceLimit, "the request cannot fit into the KV pool",
                         fmt::format("{} blocks needed", refusal.needed_blocks),
                         fmt::format("at most {}", refusal.pool_blocks),
                         "raise --kv-blocks, or lower max_tokens"}});
  }
  for (const sched::RequestId id : plan.cancelled) {
    if (!active_.contains(id)) continue;  // ended by an error of one of its answers
    for (const auto& [sequence, answer] : answers_) {
      if (answer.request != id) continue;
      std::string text = worker_->rest_of_text(sequence);
      if (text.empty()) continue;
      active_.at(id).listener({.request = id, .choice = answer.choice, .text = std::move(text)});
    }
    end(id, {.request = id, .finished = sched::FinishReason::kCancelled});
  }
}

// As after a cancel of each request; siblings that were not in the step end with it.
void Engine::publish_stop(const sched::StepResult& result) {
  for (const sched::SequenceResult& entry : result.sequences) {
    const auto found = answers_.find(entry.sequence);
    if (found == answers_.end()) continue;
    const sched::RequestId request = found->second.request;
    next_.cancels.push_back(request);
    end(request, {.request = request, .finished = sched::FinishReason::kCancelled});
  }
}

void Engine::publish_tokens(const StepOutput& output) {
  if (output.result.failed && output.failures.empty()) return publish_stop(output.result);
  for (size_t i = 0; i < output.result.sequences.size(); i++) {
    const sched::SequenceResult& result = output.result.sequences[i];
    std::optional<Status> error;
    for (const auto& [sequence, status] : output.failures) {
      if (sequence == result.sequence) error = status;
    }
    // An error of one answer has ended the others.
    if (answers_.contains(result.sequence)) publish(result, output.tokens[i], error);
  }
}

// An update for each token; what ends the answer comes with the last one, an error after it.
void Engine::publish(const sched::SequenceResult& result, const std::vector<TokenOutput>& tokens,
                     const std::optional<Status>& error) {
  const Answer answer = answers_.at(result.sequence);
  meter_.receive(result.sequence, std::ssize(tokens), clock_.last_ns());
  std::vector<Update> updates;
  for (size_t i = 0; i < tokens.size(); i++) {
    updates.push_back({.request = answer.request,
                       .choice = answer.choice,
                       .token = result.tokens[i],
                       .text = tokens[i].text,
                       .logprobs = tokens[i].logprobs,
                       .stop = tokens[i].stop});
  }
  if (error) {
    updates.push_back({.request = answer.request, .choice = answer.choice, .error = error});
    next_.cancels.push_back(answer.request);
  } else {
    updates.back().finished = result.finished;
  }
  Active& active = active_.at(answer.request);
  for (size_t i = 0; i + 1 < updates.size(); i++) active.listener(updates[i]);
  if (result.finished && !error) meter_.finish(result.sequence, ending_of(*result.finished));
  if (result.finished) end_sequence(result.sequence);
  if (error || (result.finished && --active.answers_left == 0)) {
    end(answer.request, updates.back());
  } else {
    active.listener(updates.back());
  }
}

void Engine::end_sequence(sched::SequenceId id) {
  worker_->remove(id);
  answers_.erase(id);
}

void Engine::end(sched::RequestId id, const Update& update) {
  auto ended = active_.extract(id);
  CHECK(!ended.empty(), "a request ends once");
  queued_ -= !ended.mapped().started;
  meter_.end(id, update.error ? Ending::kError : Ending::kAbort);
  worker_->remove(id);
  std::vector<sched::SequenceId> sequences;
  for (const auto& [sequence, answer] : answers_) {
    if (answer.request == id) sequences.push_back(sequence);
  }
  for (const sched::SequenceId sequence : sequences) end_sequence(sequence);
  ended.mapped().listener(update);
}

}  // namespace strata::engine
