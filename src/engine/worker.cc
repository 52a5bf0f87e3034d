// Loading, and the phases of a step in the order of execute().
#include "engine/worker.h"

#include <algorithm>

#include "base/check.h"
#include "device/cpu_device.h"
#include "engine/draft_model.h"
#include "model/stream.h"

namespace strata::engine {

Result<std::unique_ptr<Worker>> Worker::create(Env& env, const OpenedModel& opened,
                                               const ResolvedConfig& config,
                                               const model::LoadOptions& load) {
  std::unique_ptr<Worker> worker(new Worker(env, opened));
  worker->device_ = std::make_unique<device::CpuDevice>();
  worker->table_ =
      std::make_unique<kernels::KernelTable>(TRY(kernels::make_cpu_kernel_table(config.isa)));
  worker->load_ = load;
  worker->load_.pack = worker->table_->pack;
  worker->load_.expand = worker->table_->expand;
  worker->io_ = config.io;
  model::Weights weights = TRY(worker->load_and_make_pool(config));
  worker->load_.progress = {};  // of the first loading: its listener may be gone
  worker->masks_ = TRY(MaskAhead::create());
  worker->model_ = std::make_unique<model::Model>(TRY(model::Model::create(
      *worker->device_, opened.spec(), std::move(weights), *worker->table_, *worker->pool_,
      {.max_rows = config.max_num_batched_tokens,
       .max_logit_rows = config.max_logit_rows,
       .max_sequences = config.max_num_seqs,
       .max_model_len = config.max_model_len,
       .block_tokens = config.block_tokens})));
  TRY(worker->allocate(config));
  TRY(worker->prepare_drafts(opened, config));
  return worker;
}

// Streamed units are re-laid by the pool's threads, so it is there first; otherwise it comes after
// loading, whose threads would share cores with it.
Result<model::Weights> Worker::load_and_make_pool(const ResolvedConfig& config) {
  if (config.placement.streams()) {
    pool_ = TRY(ComputePool::create(config.threads));
    return load(config.placement);
  }
  auto weights = TRY(load(config.placement));
  pool_ = TRY(ComputePool::create(config.threads));
  return weights;
}

Result<model::Weights> Worker::load(const placement::PlacementPlan& plan) {
  if (!plan.streams()) {
    auto weights = TRY(model::load_weights(*device_, opened_.spec(), opened_.files(),
                                           opened_.plan_for(plan), load_));
    weights_charge_ = memory::Charge(account_, memory::MemoryTag::kWeights, weights.memory.bytes());
    return weights;
  }
  const model::StreamSetup setup{.env = env_,
                                 .device = *device_,
                                 .account = account_,
                                 .pool = *pool_,
                                 .spec = opened_.spec(),
                                 .files = opened_.files(),
                                 .plan = opened_.plan()};
  auto source = TRY(model::make_unit_source(setup, opened_.source().folder, load_.pack));
  memory::StoreConfig store{.resident = plan.resident, .alignment = opened_.plan().cut.alignment};
  store.ring = {.bytes = plan.ring_bytes, .io = io_};
  return model::stream_weights(setup, std::move(source), std::move(store), load_);
}

Result<void> Worker::place_weights(const placement::PlacementPlan& plan) {
  model_->drop_weights();
  weights_charge_ = {};
  auto weights = load(plan);
  if (!weights) {
    broken_ = std::move(weights).error().with_context("placing the weights anew");
    return std::unexpected(*broken_);
  }
  model_->set_weights(std::move(*weights));
  return {};
}

const memory::Ring* Worker::ring() const {
  const auto& streamed = model_->weights().streamed;
  return streamed ? streamed->store->ring() : nullptr;
}

Result<void> Worker::allocate(const ResolvedConfig& config) {
  kv_pool_ = std::make_unique<memory::KvPool>(
      TRY(memory::KvPool::create(*device_, account_, config.slab_plan, config.slabs)));
  workspace_ = TRY(device_->allocate(model_->memory(config.threads).workspace));
  logits_ = TRY(device_->allocate(config.max_logit_rows * model_->spec().vocab *
                                  static_cast<int64_t>(sizeof(float))));
  charges_.emplace_back(account_, memory::MemoryTag::kActivations,
                        model_->memory(config.threads).sum());
  charges_.emplace_back(account_, memory::MemoryTag::kLogits, logits_.bytes());
  scratch_.assign(static_cast<size_t>(config.threads), sampling::SamplerScratch(table_->logits));
  return {};
}

Result<void> Worker::prepare_drafts(const OpenedModel& opened, const ResolvedConfig& config) {
  const SpeculationConfig& speculation = config.speculation;
  most_drafts_ = speculation.tokens;
  if (speculation.method == "ngram") {
    drafter_ = std::make_unique<NgramDrafter>(speculation.lookup);
  } else if (speculation.by_model()) {
    CHECK(opened.draft() != nullptr, "the model that guesses was not opened");
    drafter_ =
        TRY(DraftModel::create(*opened.draft(), {*device_, *table_, *pool_, account_, config}));
  }
  return {};
}

void Worker::add(sched::RequestId id, WorkerRequest request) {
  sampling::DecodeState start(
      sampling::make_decode_request(request.sampling, request.prompt, request.stop_ids),
      request.detokenizer);
  requests_.insert_or_assign(
      id, Announced{std::make_shared<const WorkerRequest>(std::move(request)), std::move(start)});
}

void Worker::admit(const sched::Admission& admission) {
  const auto found = requests_.find(admission.request);
  CHECK(found != requests_.end(), "a plan admits a request that was not announced");
  const auto& [request, start] = found->second;
  sequences_.insert_or_assign(
      admission.sequence,
      Sequence{.request = request,
               .chain = request->chain,
               .tokens = request->prompt,
               .state = start.fork(start.choice() + static_cast<uint32_t>(admission.choice))});
}

StepOutput Worker::execute(const sched::StepPlan& plan, StepClock& clock) {
  StepOutput output{.result = {.plan = plan.id}, .tokens = {}, .failures = {}};
  move_blocks(plan);
  run_copies(plan);
  for (const sched::Admission& admission : plan.admitted) admit(admission);
  for (const sched::SequenceId id : plan.preempted) {
    if (drafter_) drafter_->forget(id);
  }
  if (plan.sequences.empty()) return output;
  if (broken_) {
    fail_step(plan, *broken_, output);
    return output;
  }

  const SpinScope spin(*pool_);
  build_batch(plan);
  model::ForwardBatch batch = batch_.view(*kv_pool_);
  model_->expect(batch.ids);
  const device::ExecContext context{
      .device = device_.get(), .stream = 0, .workspace = workspace_.span(), .pool = pool_.get()};
  masks_->start(guided(plan));
  clock.lap(Phase::kPrepare);
  batch.stop = stop_;
  const auto computed = model_->forward(context, batch, reinterpret_cast<float*>(logits_.data()));
  clock.lap(Phase::kForward);
  if (!computed) {
    masks_->finish(*pool_);
    fail_step(plan, computed.error(), output);
    return output;
  }
  publish_prompt_logprobs(plan);
  masks_->finish(*pool_);
  for (std::vector<Draw> draws = first_draws(plan, output); !draws.empty();) {
    draw_tokens(plan, draws);
    clock.lap(Phase::kSample);
    draws = accept(plan, std::move(draws), output);
    clock.lap(Phase::kText);
  }
  publish_logits(plan, output);
  clock.lap(Phase::kText);
  offer_drafts(output);
  clock.lap(Phase::kDraft);
  return output;
}

void Worker::fail_step(const sched::StepPlan& plan, const Status& reason, StepOutput& output) {
  output.result.failed = true;
  for (const sched::SequenceStep& step : plan.sequences) {
    output.result.sequences.push_back(
        {.sequence = step.sequence, .finished = sched::FinishReason::kCancelled});
    if (reason.code == Code::kCancelled) continue;
    output.failures.emplace_back(step.sequence, reason);
  }
  output.tokens.resize(output.result.sequences.size());
}

std::vector<sampling::DecodeState*> Worker::guided(const sched::StepPlan& plan) {
  std::vector<sampling::DecodeState*> states;
  for (const sched::SequenceStep& step : plan.sequences) {
    sampling::DecodeState& state = sequences_.at(step.sequence).state;
    if (step.yields_token && state.guide() != nullptr) states.push_back(&state);
  }
  return states;
}

// Guesses stand behind a sequence's tokens while the batch is written, and only then.
void Worker::build_batch(const sched::StepPlan& plan) {
  for (const sched::SequenceStep& step : plan.sequences) {
    Sequence& sequence = sequences_.at(step.sequence);
    CHECK(std::cmp_less_equal(step.drafts, sequence.drafts.size()), "drafts that nobody offered");
    sequence.tokens.insert(sequence.tokens.end(), sequence.drafts.begin(),
                           sequence.drafts.begin() + step.drafts);
  }
  batch_.build(plan, *kv_pool_, [this](sched::SequenceId id) -> std::span<const int32_t> {
    return sequences_.at(id).tokens;
  });
  for (const sched::SequenceStep& step : plan.sequences) {
    std::vector<int32_t>& tokens = sequences_.at(step.sequence).tokens;
    tokens.resize(tokens.size() - static_cast<size_t>(step.drafts));
  }
}

void Worker::remove(sched::SequenceId id) {
  sequences_.erase(id);
  if (drafter_) drafter_->forget(id);
}

std::string Worker::rest_of_text(sched::SequenceId id) {
  const auto found = sequences_.find(id);
  return found == sequences_.end() ? std::string() : found->second.state.finish().text;
}

void Worker::move_blocks(const sched::StepPlan& plan) {
  for (const sched::BlockPlace& place : plan.freed) {
    const auto released = kv_pool_->release(place.group, place.frame);
    CHECK(released.has_value(), "a plan frees a frame that is not taken");
  }
  for (const sched::BlockPlace& place : plan.allocated) {
    const auto acquired = kv_pool_->acquire(place.group, place.frame);
    CHECK(acquired.has_value(), "a plan takes a frame that is not free");
  }
}

void Worker::run_copies(const sched::StepPlan& plan) {
  for (const sched::BlockCopy& copy : plan.copies) {
    const int64_t bytes = kv_pool_->plan().frame_bytes[static_cast<size_t>(copy.group)];
    device_->copy_async(0, kv_pool_->base() + kv_pool_->offset(copy.group, copy.to_frame),
                        kv_pool_->base() + kv_pool_->offset(copy.group, copy.from_frame), bytes);
  }
  // Kernels of the CPU are not ordered behind its copies.
  if (!plan.copies.empty()) device_->wait(device_->record(0));
}

std::span<float> Worker::logits_of(size_t index, int64_t row) {
  const auto vocab = static_cast<size_t>(model_->spec().vocab);
  auto* all = reinterpret_cast<float*>(logits_.data());
  return {all + static_cast<size_t>(batch_.first_logit(index) + row) * vocab, vocab};
}

// Not those behind a wrong guess: no token of the sequence was chosen from them or computed in
// them.
void Worker::publish_logits(const sched::StepPlan& plan, const StepOutput& output) {
  size_t entry = 0;
  for (size_t i = 0; i < plan.sequences.size(); i++) {
    const sched::SequenceStep& step = plan.sequences[i];
    const Sequence& sequence = sequences_.at(step.sequence);
    int64_t rows = batch_.logit_count(i);
    const int64_t first_row = step.first_position + step.rows - rows;
    if (step.yields_token) {
      const sched::SequenceResult& result = output.result.sequences[entry++];
      const bool failed = result.finished == sched::FinishReason::kCancelled;
      rows -= 1 + step.drafts - static_cast<int64_t>(result.tokens.size()) - (failed ? 1 : 0);
    }
    const bool first = sequence.state.choice() == sequence.request->sampling.choice;
    if (!first || !sequence.request->on_logits || rows == 0) continue;
    const auto count = static_cast<size_t>(rows * model_->spec().vocab);
    sequence.request->on_logits(first_row, {logits_of(i, 0).data(), count});
  }
}

void Worker::publish_prompt_logprobs(const sched::StepPlan& plan) {
  for (size_t i = 0; i < plan.sequences.size(); i++) {
    const sched::SequenceStep& step = plan.sequences[i];
    const WorkerRequest& request = *sequences_.at(step.sequence).request;
    const std::optional<int64_t> top = request.sampling.prompt_logprobs;
    // The row at a position tells of the token at the next.
    const int64_t tokens = static_cast<int64_t>(request.prompt.size()) - 1 - step.first_position;
    const int64_t rows = std::min(batch_.logit_count(i), tokens);
    if (!step.all_logits || !top || !request.on_prompt_logprobs || rows <= 0) continue;
    std::vector<sampling::TokenLogprobs> made(static_cast<size_t>(rows));
    const int32_t* next = request.prompt.data() + step.first_position + 1;
    pool_->run(rows, [&](int64_t row, int thread) {
      made[static_cast<size_t>(row)] = sampling::logprobs_of(logits_of(i, row), next[row], *top,
                                                             scratch_[static_cast<size_t>(thread)]);
    });
    for (int64_t row = 0; row < rows; row++) {
      request.on_prompt_logprobs(step.first_position + row + 1, made[static_cast<size_t>(row)]);
    }
  }
}

std::vector<Worker::Draw> Worker::first_draws(const sched::StepPlan& plan,
                                              StepOutput& output) const {
  std::vector<Draw> draws;
  for (size_t i = 0; i < plan.sequences.size(); i++) {
    const sched::SequenceStep& step = plan.sequences[i];
    if (!step.yields_token) continue;
    draws.push_back(
        {.index = i, .entry = draws.size(), .row = batch_.logit_count(i) - 1 - step.drafts});
    output.result.sequences.push_back({.sequence = step.sequence});
  }
  output.tokens.resize(draws.size());
  return draws;
}

void Worker::draw_tokens(const sched::StepPlan& plan, std::vector<Draw>& draws) {
  pool_->run(static_cast<int64_t>(draws.size()), [&](int64_t item, int thread) {
    Draw& draw = draws[static_cast<size_t>(item)];
    Sequence& sequence = sequences_.at(plan.sequences[draw.index].sequence);
    sequence.state.prepare_mask();  // there already, but for rows behind a right guess
    draw.sampled = sampling::sample(logits_of(draw.index, draw.row), sequence.state,
                                    scratch_[static_cast<size_t>(thread)]);
  });
}

// Draws of the rows that follow: of sequences whose guess was the token that they have just got.
// The row behind it was computed from this very token, so its logits are those of the sequence.
std::vector<Worker::Draw> Worker::accept(const sched::StepPlan& plan, std::vector<Draw> draws,
                                         StepOutput& output) {
  std::vector<Draw> next;
  for (Draw& draw : draws) {
    const sched::SequenceStep& step = plan.sequences[draw.index];
    Sequence& sequence = sequences_.at(step.sequence);
    sched::SequenceResult& result = output.result.sequences[draw.entry];
    if (!draw.sampled) {
      result.finished = sched::FinishReason::kCancelled;
      output.failures.emplace_back(step.sequence, std::move(draw.sampled).error());
      continue;
    }
    const size_t accepted = result.tokens.size();
    const int32_t token = draw.sampled->token;
    take_token(sequence, std::move(*draw.sampled), result,
               output.tokens[draw.entry].emplace_back());
    if (!result.finished && std::cmp_less(accepted, step.drafts) &&
        sequence.drafts[accepted] == token) {
      next.push_back({.index = draw.index, .entry = draw.entry, .row = draw.row + 1});
    }
  }
  return next;
}

void Worker::offer_drafts(StepOutput& output) {
  if (!drafter_) return;
  std::vector<DraftTask> tasks;
  std::vector<sched::SequenceResult*> results;
  for (sched::SequenceResult& result : output.result.sequences) {
    Sequence& sequence = sequences_.at(result.sequence);
    sequence.drafts.clear();
    // One of the tokens left is the model's own.
    const int64_t left = sequence.request->max_tokens - sequence.generated() - 1;
    if (result.finished || left < 1) continue;
    tasks.push_back({.sequence = result.sequence,
                     .tokens = sequence.tokens,
                     .state = &sequence.state,
                     .most = std::min(left, most_drafts_)});
    results.push_back(&result);
  }
  drafter_->draft(tasks);
  for (size_t i = 0; i < tasks.size(); i++) {
    results[i]->drafts = static_cast<int64_t>(tasks[i].drafts.size());
    sequences_.at(tasks[i].sequence).drafts = std::move(tasks[i].drafts);
  }
}

void Worker::take_token(Sequence& sequence, sampling::Sampled sampled,
                        sched::SequenceResult& result, TokenOutput& made) {
  sequence.tokens.push_back(sampled.token);
  result.tokens.push_back(sampled.token);
  if (sequence.chain) {
    for (const sched::BlockHash& hash : sequence.chain->extend(sequence.tokens)) {
      result.block_hashes.push_back(hash);
    }
  }
  made.logprobs = std::move(sampled.logprobs);
  sampling::DecodeState::Committed committed = sequence.state.commit(sampled.token);
  made.text = std::move(committed.text);
  if (!committed.stopped && sequence.generated() == sequence.request->max_tokens) {
    result.finished = sched::FinishReason::kLength;
    committed = sequence.state.finish();
    made.text += committed.text;
  }
  made.stop = std::move(committed.stop);
  if (committed.stopped) result.finished = sched::FinishReason::kStop;
}

}  // namespace strata::engine
