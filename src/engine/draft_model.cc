// Every pass computes what each lane still lacks; a lane whose last token is computed draws its
// next guess. So prompts are caught up with in chunks while others guess already.
#include "engine/draft_model.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata::engine {

DraftModel::DraftModel(const DraftSetup& setup)
    : device_(setup.device),
      pool_(setup.pool),
      max_rows_(setup.config.max_num_batched_tokens),
      block_tokens_(setup.config.block_tokens),
      blocks_(setup.config.draft.slabs, setup.config.draft.slab_plan.frames_per_slab),
      scratch_(static_cast<size_t>(setup.config.threads),
               sampling::SamplerScratch(setup.table.logits)) {}

Result<std::unique_ptr<DraftModel>> DraftModel::create(const OpenedModel& opened,
                                                       const DraftSetup& setup) {
  const ResolvedConfig& config = setup.config;
  std::unique_ptr<DraftModel> made(new DraftModel(setup));
  model::Weights weights = TRY(model::load_weights(
      setup.device, opened.spec(), opened.files(), opened.expanded_plan(),
      {.threads = config.threads, .pack = setup.table.pack, .expand = setup.table.expand}));
  const int64_t weight_bytes = weights.memory.bytes();
  made->model_ = std::make_unique<model::Model>(TRY(
      model::Model::create(setup.device, opened.spec(), std::move(weights), setup.table, setup.pool,
                           {.max_rows = config.max_num_batched_tokens,
                            .max_logit_rows = config.max_num_seqs,
                            .max_sequences = config.max_num_seqs,
                            .max_model_len = config.max_model_len,
                            .block_tokens = config.block_tokens})));
  const model::Model& model = *made->model_;
  made->kv_pool_ = std::make_unique<memory::KvPool>(TRY(memory::KvPool::create(
      setup.device, setup.account, config.draft.slab_plan, config.draft.slabs)));
  made->workspace_ = TRY(setup.device.allocate(model.memory(config.threads).workspace));
  made->logits_ = TRY(setup.device.allocate(config.max_num_seqs * model.spec().vocab *
                                            static_cast<int64_t>(sizeof(float))));
  const auto charge = [&](memory::MemoryTag tag, int64_t bytes) {
    made->charges_.emplace_back(setup.account, tag, bytes);
  };
  charge(memory::MemoryTag::kWeights, weight_bytes);
  charge(memory::MemoryTag::kActivations, model.memory(config.threads).sum());
  charge(memory::MemoryTag::kLogits, made->logits_.bytes());
  return made;
}

void DraftModel::draft(std::span<DraftTask> tasks) {
  std::vector<Lane> lanes;
  for (DraftTask& task : tasks) {
    Sequence& sequence = sequences_[task.sequence];
    catch_up(sequence, task.tokens);
    // The last guess is drawn and never computed.
    if (!hold_blocks(sequence, sequence.known + task.most - 1)) {
      forget(task.sequence);
      continue;
    }
    lanes.push_back({.task = &task, .sequence = &sequence, .state = *task.state});
  }
  while (true) {
    const sched::StepPlan plan = plan_rows(lanes);
    if (plan.sequences.empty()) return;
    run(plan);
    guess(plan, lanes);
  }
}

void DraftModel::forget(sched::SequenceId id) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return;
  for (const std::vector<sched::BlockId>& table : found->second.tables) {
    for (const sched::BlockId block : table) blocks_.release(block);
  }
  move_frames();
  sequences_.erase(found);
}

// Keys and values of guesses that the sequence has taken are valid. The last token is computed in
// any case: its logits are wanted.
void DraftModel::catch_up(Sequence& sequence, std::span<const int32_t> tokens) {
  const auto size = static_cast<int64_t>(tokens.size());
  int64_t valid = std::min(sequence.known, sequence.computed);
  while (valid < std::min(sequence.computed, size) &&
         sequence.tokens[static_cast<size_t>(valid)] == tokens[static_cast<size_t>(valid)]) {
    valid++;
  }
  const auto same = static_cast<std::ptrdiff_t>(sequence.known);
  sequence.tokens.resize(static_cast<size_t>(same));
  sequence.tokens.insert(sequence.tokens.end(), tokens.begin() + same, tokens.end());
  sequence.computed = std::min(valid, size - 1);
  sequence.known = size;
}

// Groups with a window keep everything here: simpler, and within the pool as it is sized.
bool DraftModel::hold_blocks(Sequence& sequence, int64_t end) {
  sequence.tables.resize(static_cast<size_t>(blocks_.groups()));
  bool held = true;
  for (int g = 0; g < blocks_.groups(); g++) {
    std::vector<sched::BlockId>& table = sequence.tables[static_cast<size_t>(g)];
    while (held && static_cast<int64_t>(table.size()) * block_tokens_ < end) {
      const std::optional<sched::BlockId> block = blocks_.allocate(g);
      held = block.has_value();
      if (held) table.push_back(*block);
    }
  }
  move_frames();
  return held;
}

void DraftModel::move_frames() {
  for (const sched::BlockPlace& place : blocks_.take_freed()) {
    const auto released = kv_pool_->release(place.group, place.frame);
    CHECK(released.has_value(), "a frame of the draft model is freed that is not taken");
  }
  for (const sched::BlockPlace& place : blocks_.take_allocated()) {
    const auto acquired = kv_pool_->acquire(place.group, place.frame);
    CHECK(acquired.has_value(), "a frame of the draft model is taken that is not free");
  }
}

sched::StepPlan DraftModel::plan_rows(const std::vector<Lane>& lanes) const {
  sched::StepPlan plan;
  int64_t rows_left = max_rows_;
  for (const Lane& lane : lanes) {
    const Sequence& sequence = *lane.sequence;
    const int64_t wanted = static_cast<int64_t>(sequence.tokens.size()) - sequence.computed;
    const int64_t rows = std::min(wanted, rows_left);
    if (lane.over || rows == 0) continue;
    sched::SequenceStep& step = plan.sequences.emplace_back();
    step.sequence = lane.task->sequence;
    step.first_position = sequence.computed;
    step.rows = rows;
    step.yields_token = rows == wanted;
    for (const std::vector<sched::BlockId>& table : sequence.tables) {
      std::vector<int64_t>& frames = step.frames.emplace_back();
      for (const sched::BlockId block : table) frames.push_back(blocks_.frame(block));
    }
    rows_left -= rows;
  }
  return plan;
}

void DraftModel::run(const sched::StepPlan& plan) {
  batch_.build(plan, *kv_pool_, [this](sched::SequenceId id) -> std::span<const int32_t> {
    return sequences_.at(id).tokens;
  });
  const device::ExecContext context{
      .device = &device_, .stream = 0, .workspace = workspace_.span(), .pool = &pool_};
  const auto computed =
      model_->forward(context, batch_.view(*kv_pool_), reinterpret_cast<float*>(logits_.data()));
  CHECK(computed.has_value(), "weights in memory cannot fail");
  for (const sched::SequenceStep& step : plan.sequences) {
    sequences_.at(step.sequence).computed += step.rows;
  }
}

// A row that nothing can be drawn from ends the guesses; whether it ends the answer is for the
// model itself to say.
void DraftModel::guess(const sched::StepPlan& plan, std::vector<Lane>& lanes) {
  const auto vocab = static_cast<size_t>(model_->spec().vocab);
  pool_.run(static_cast<int64_t>(plan.sequences.size()), [&](int64_t item, int thread) {
    const auto i = static_cast<size_t>(item);
    const sched::SequenceStep& step = plan.sequences[i];
    if (!step.yields_token) return;
    Lane& lane = *std::ranges::find(lanes, step.sequence,
                                    [](const Lane& other) { return other.task->sequence; });
    auto* row = reinterpret_cast<float*>(logits_.data()) +
                static_cast<size_t>(batch_.first_logit(i)) * vocab;
    lane.state.prepare_mask();
    const auto drawn =
        sampling::sample({row, vocab}, lane.state, scratch_[static_cast<size_t>(thread)]);
    lane.over = !drawn;
    if (!drawn) return;
    std::vector<int32_t>& drafts = lane.task->drafts;
    drafts.push_back(drawn->token);
    lane.sequence->tokens.push_back(drawn->token);
    lane.over =
        std::cmp_equal(drafts.size(), lane.task->most) || lane.state.commit(drawn->token).stopped;
  });
}

}  // namespace strata::engine
