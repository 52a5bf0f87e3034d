// Loading, and the phases of a step in the order of execute().
#include "engine/worker.h"

#include <algorithm>

#include "base/check.h"
#include "device/cpu_device.h"

namespace strata::engine {

Result<std::unique_ptr<Worker>> Worker::create(const OpenedModel& opened,
                                               const ResolvedConfig& config,
                                               const model::LoadOptions& load) {
  std::unique_ptr<Worker> worker(new Worker());
  worker->device_ = std::make_unique<device::CpuDevice>();
  worker->table_ =
      std::make_unique<kernels::KernelTable>(TRY(kernels::make_cpu_kernel_table(config.isa)));
  model::LoadOptions options = load;
  options.pack = worker->table_->pack;
  model::Weights weights = TRY(model::load_weights(*worker->device_, opened.spec(),
                                                   opened.checkpoint(), opened.plan(), options));
  // After loading: its threads and the pool's would share cores.
  worker->pool_ = TRY(ComputePool::create(config.threads));
  const int64_t weight_bytes = weights.memory.bytes();
  worker->model_ = std::make_unique<model::Model>(TRY(model::Model::create(
      *worker->device_, opened.spec(), std::move(weights), *worker->table_, *worker->pool_,
      {.max_rows = config.max_num_batched_tokens,
       .max_logit_rows = config.max_logit_rows,
       .max_sequences = config.max_num_seqs,
       .max_model_len = config.max_model_len,
       .block_tokens = config.block_tokens})));
  worker->charges_.emplace_back(worker->account_, memory::MemoryTag::kWeights, weight_bytes);
  TRY(worker->allocate(config));
  return worker;
}

Result<void> Worker::allocate(const ResolvedConfig& config) {
  kv_pool_ = std::make_unique<memory::KvPool>(
      TRY(memory::KvPool::create(*device_, account_, config.slab_plan, config.slabs)));
  workspace_ = TRY(device_->allocate(model_->workspace_bytes(config.threads)));
  logits_ = TRY(device_->allocate(config.max_logit_rows * model_->spec().vocab *
                                  static_cast<int64_t>(sizeof(float))));
  charges_.emplace_back(account_, memory::MemoryTag::kActivations,
                        workspace_.bytes() + model_->activation_bytes() + model_->rope_bytes());
  charges_.emplace_back(account_, memory::MemoryTag::kLogits, logits_.bytes());
  scratch_.assign(static_cast<size_t>(config.threads), sampling::SamplerScratch(table_->logits));
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
  if (plan.sequences.empty()) return output;

  const SpinScope spin(*pool_);
  batch_.build(plan, *kv_pool_, [this](sched::SequenceId id) -> std::span<const int32_t> {
    return sequences_.at(id).tokens;
  });
  const device::ExecContext context{
      .device = device_.get(), .stream = 0, .workspace = workspace_.span(), .pool = pool_.get()};
  clock.lap(Phase::kPrepare);
  model_->forward(context, batch_.view(*kv_pool_), reinterpret_cast<float*>(logits_.data()));
  clock.lap(Phase::kForward);
  publish_logits(plan);
  clock.lap(Phase::kText);
  publish_prompt_logprobs(plan);
  std::vector<Draw> draws = draw_tokens(plan);
  clock.lap(Phase::kSample);
  accept(plan, std::move(draws), output);
  return output;
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

void Worker::publish_logits(const sched::StepPlan& plan) {
  for (size_t i = 0; i < plan.sequences.size(); i++) {
    const sched::SequenceStep& step = plan.sequences[i];
    const Sequence& sequence = sequences_.at(step.sequence);
    const int64_t rows = batch_.logit_count(i);
    const bool first = sequence.state.choice() == sequence.request->sampling.choice;
    if (!first || !sequence.request->on_logits || rows == 0) continue;
    const auto count = static_cast<size_t>(rows * model_->spec().vocab);
    sequence.request->on_logits(step.first_position + step.rows - rows,
                                {logits_of(i, 0).data(), count});
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

std::vector<Worker::Draw> Worker::draw_tokens(const sched::StepPlan& plan) {
  std::vector<Draw> draws;
  for (size_t i = 0; i < plan.sequences.size(); i++) {
    if (plan.sequences[i].yields_token) draws.push_back({.index = i});
  }
  pool_->run(static_cast<int64_t>(draws.size()), [&](int64_t item, int thread) {
    Draw& draw = draws[static_cast<size_t>(item)];
    const Sequence& sequence = sequences_.at(plan.sequences[draw.index].sequence);
    draw.sampled = sampling::sample(logits_of(draw.index, batch_.logit_count(draw.index) - 1),
                                    sequence.state, scratch_[static_cast<size_t>(thread)]);
  });
  return draws;
}

void Worker::accept(const sched::StepPlan& plan, std::vector<Draw> draws, StepOutput& output) {
  for (Draw& draw : draws) {
    const sched::SequenceId id = plan.sequences[draw.index].sequence;
    Sequence& sequence = sequences_.at(id);
    sched::SequenceResult& result = output.result.sequences.emplace_back();
    TokenOutput& made = output.tokens.emplace_back();
    result.sequence = id;
    if (!draw.sampled) {
      result.finished = sched::FinishReason::kCancelled;
      output.failures.emplace_back(id, std::move(draw.sampled).error());
      continue;
    }
    take_token(sequence, std::move(*draw.sampled), result, made);
  }
}

void Worker::take_token(Sequence& sequence, sampling::Sampled sampled,
                        sched::SequenceResult& result, TokenOutput& made) {
  sequence.tokens.push_back(sampled.token);
  result.tokens.push_back(sampled.token);
  if (sequence.chain) result.block_hashes = sequence.chain->extend(sequence.tokens);
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
