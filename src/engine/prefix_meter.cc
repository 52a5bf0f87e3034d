// The order is the scheduler's own: results, who starts, rows. A block counts as seen from the plan
// after the one that fills it.
#include "engine/prefix_meter.h"

#include <algorithm>
#include <utility>

namespace strata::engine {

void PrefixMeter::add(const sched::StepInput& input, const sched::StepPlan& plan) {
  take_results(input);
  for (const sched::Request& request : input.arrivals) {
    Waiting& waiting = requests_[request.id];
    waiting = {.request = request, .sequences_left = request.sequences};
    if (most_blocks_ == 0) waiting.request.block_hashes.clear();
  }
  for (const sched::RequestId id : plan.cancelled) forget(id);
  for (const sched::Refusal& refusal : plan.refused) forget(refusal.request);
  for (const sched::Admission& admission : plan.admitted) admit(admission);
  for (const sched::SequenceStep& step : plan.sequences) take_rows(step);
}

std::optional<int64_t> PrefixMeter::best_hit_tokens() const {
  if (most_blocks_ == 0 || !complete_) return std::nullopt;
  return best_hit_tokens_;
}

void PrefixMeter::take_results(const sched::StepInput& input) {
  for (auto& [id, sequence] : sequences_) remember(sequence);
  for (const sched::StepResult& result : input.completions) {
    for (const sched::SequenceResult& entry : result.sequences) {
      const auto found = sequences_.find(entry.sequence);
      if (found == sequences_.end()) continue;
      std::vector<sched::BlockHash>& hashes = found->second.hashes;
      const bool wanted = most_blocks_ > 0;
      if (wanted) hashes.insert(hashes.end(), entry.block_hashes.begin(), entry.block_hashes.end());
      remember(found->second);
      if (entry.finished) sequences_.erase(found);
    }
  }
}

void PrefixMeter::admit(const sched::Admission& admission) {
  const auto found = requests_.find(admission.request);
  const sched::Request& request = found->second.request;
  Sequence sequence{
      .request = request.id, .counts = admission.choice == 0, .hashes = request.block_hashes};
  if (sequence.counts) {
    prompt_tokens_ += request.prompt_tokens;
    const int64_t most = request.all_logits ? 0 : (request.prompt_tokens - 1) / block_tokens_;
    int64_t blocks = 0;
    while (blocks < most && std::cmp_less(blocks, sequence.hashes.size()) &&
           seen_.contains(sequence.hashes[static_cast<size_t>(blocks)])) {
      blocks++;
    }
    best_hit_tokens_ += blocks * block_tokens_;
  }
  sequences_.insert_or_assign(admission.sequence, std::move(sequence));
  if (--found->second.sequences_left == 0) requests_.erase(found);
}

void PrefixMeter::take_rows(const sched::SequenceStep& step) {
  const auto found = sequences_.find(step.sequence);
  if (found == sequences_.end()) return;  // cancelled while its rows were planned
  Sequence& sequence = found->second;
  if (std::exchange(sequence.first_rows, false) && sequence.counts) {
    hit_tokens_ += step.first_position;
  }
  sequence.computed = std::max(sequence.computed, step.first_position + step.rows);
}

void PrefixMeter::remember(Sequence& sequence) {
  if (most_blocks_ == 0) return;
  const int64_t full =
      std::min<int64_t>(std::ssize(sequence.hashes), sequence.computed / block_tokens_);
  for (; sequence.remembered < full; sequence.remembered++) {
    const sched::BlockHash& hash = sequence.hashes[static_cast<size_t>(sequence.remembered)];
    if (seen_.contains(hash)) continue;
    complete_ = complete_ && std::cmp_less(seen_.size(), most_blocks_);
    if (complete_) seen_.insert(hash);
  }
}

void PrefixMeter::forget(sched::RequestId request) {
  requests_.erase(request);
  for (auto& [id, sequence] : sequences_) remember(sequence);
  std::erase_if(sequences_,
                [request](const auto& entry) { return entry.second.request == request; });
}

}  // namespace strata::engine
