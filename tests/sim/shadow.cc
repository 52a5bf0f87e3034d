// Frames first, then every read of the step, then its writes: rows of one step run side by side.
#include "sim/shadow.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

namespace strata::sim {

using sched::BlockPlace;
using sched::SequenceStep;
using sched::StepPlan;

Shadow::Shadow(sched::SchedulerConfig config, int64_t most_drafts)
    : config_(std::move(config)), most_drafts_(most_drafts) {
  for (const sched::GroupShape& group : config_.groups) {
    const auto frames = static_cast<size_t>(config_.slabs * group.frames_per_slab);
    content_.emplace_back(frames * static_cast<size_t>(config_.block_tokens), 0);
    taken_.emplace_back(frames, false);
    in_slab_.emplace_back(static_cast<size_t>(config_.slabs), 0);
  }
}

void Shadow::blame(std::string fault) {
  if (fault_.empty()) fault_ = std::move(fault);
}

uint64_t* Shadow::content(size_t group, int64_t frame) {
  return content_[group].data() + frame * config_.block_tokens;
}

int64_t Shadow::first_read(size_t group, int64_t position) const {
  const int64_t window = config_.groups[group].window;
  return window == 0 ? 0 : std::max<int64_t>(0, position - window + 1);
}

void Shadow::cancel(sched::RequestId request) { cancelled_.insert(request); }

std::vector<Chain> Shadow::take_answers() { return std::exchange(answers_, {}); }

sched::StepResult Shadow::run(const StepPlan& plan) {
  sched::StepResult result{.plan = plan.id};
  for (const sched::Admission& admission : plan.admitted) {
    const SimRequest& request = requests_.at(admission.request);
    left_.emplace(admission.request, request.request.sequences);
    sequences_[admission.sequence] = {
        .request = admission.request, .choice = admission.choice, .chain = request.prompt};
  }
  for (const sched::SequenceId id : plan.preempted) sequences_.at(id).computed = -1;
  move_frames(plan);
  check_limits(plan);
  for (const SequenceStep& step : plan.sequences) {
    check_rows(step, sequences_.at(step.sequence));
    check_reads(step, sequences_.at(step.sequence));
  }
  check_writers(plan);
  for (const SequenceStep& step : plan.sequences) write(step, sequences_.at(step.sequence));
  for (const SequenceStep& step : plan.sequences) yield(step, sequences_.at(step.sequence), result);
  return result;
}

void Shadow::move_frames(const StepPlan& plan) {
  const auto mark = [this](const BlockPlace& place, bool taken) {
    const auto g = static_cast<size_t>(place.group);
    const auto frame = static_cast<size_t>(place.frame);
    if (taken_[g][frame] == taken) {
      blame(fmt::format("frame {} of group {} is {} twice", place.frame, place.group,
                        taken ? "taken" : "freed"));
    }
    taken_[g][frame] = taken;
    const auto slab = static_cast<size_t>(place.frame / config_.groups[g].frames_per_slab);
    in_slab_[g][slab] += taken ? 1 : -1;
    for (size_t other = 0; taken && other < in_slab_.size(); other++) {
      if (other != g && in_slab_[other][slab] > 0) blame("two groups in one slab");
    }
    std::fill_n(content(g, place.frame), config_.block_tokens, 0);
  };
  for (const BlockPlace& place : plan.freed) mark(place, false);
  for (const BlockPlace& place : plan.allocated) mark(place, true);
  for (const sched::BlockCopy& copy : plan.copies) {
    const auto g = static_cast<size_t>(copy.group);
    std::copy_n(content(g, copy.from_frame), config_.block_tokens, content(g, copy.to_frame));
  }
}

void Shadow::check_limits(const StepPlan& plan) {
  int64_t logits = 0;
  for (const SequenceStep& step : plan.sequences) {
    logits += step.all_logits ? step.rows : (step.yields_token ? 1 + step.drafts : 0);
    if (step.rows > config_.prefill_chunk) blame("a chunk is too long");
  }
  if (plan.rows() > config_.max_batched_tokens) blame("too many rows");
  if (logits > config_.max_logit_rows) blame("too many rows with logits");
  if (std::cmp_greater(plan.sequences.size(), config_.max_sequences)) blame("too many sequences");
}

// Rows continue where the sequence stands; every position's logits come once.
void Shadow::check_rows(const SequenceStep& step, Sequence& sequence) {
  if (sequence.over) return;  // planned before it stopped
  const int64_t end = step.first_position + step.rows - step.drafts;
  const auto tokens = static_cast<int64_t>(sequence.chain.size());
  if (sequence.computed >= 0 && step.first_position != sequence.computed) {
    blame(fmt::format("sequence {} skips rows", value(step.sequence)));
  }
  if (end <= step.first_position || end > tokens) blame("rows of tokens that are not there");
  if (step.drafts > (step.yields_token ? sequence.drafts : 0)) blame("drafts that nobody offered");
  if (step.yields_token != (end == tokens)) blame("a token yielded at the wrong place");
  sequence.computed = end;
  const sched::Request& request = requests_.at(sequence.request).request;
  if (end + step.drafts > request.positions()) blame("drafts beyond the last token");
  if (!request.all_logits || sequence.choice > 0) return;
  const bool fresh = end > sequence.logits_computed;
  if (step.all_logits != fresh || (fresh && step.first_position != sequence.logits_computed)) {
    blame("logits of a position left out or given twice");
  }
  sequence.logits_computed = std::max(sequence.logits_computed, end);
}

// A scheduler with a bug may name any frame.
bool Shadow::holds(size_t group, int64_t frame) const {
  return frame >= 0 && std::cmp_less(frame, taken_[group].size()) &&
         taken_[group][static_cast<size_t>(frame)];
}

void Shadow::check_reads(const SequenceStep& step, const Sequence& sequence) {
  for (size_t g = 0; g < step.frames.size(); g++) {
    for (int64_t p = first_read(g, step.first_position); p < step.first_position; p++) {
      const int64_t frame = step.frames[g][static_cast<size_t>(p / config_.block_tokens)];
      if (!holds(g, frame)) {
        blame(fmt::format("sequence {} reads a freed block", value(step.sequence)));
        return;
      }
      if (std::cmp_greater_equal(p, sequence.chain.size())) return;  // planned before it stopped
      const uint64_t found = content(g, frame)[p % config_.block_tokens];
      if (found == sequence.chain[static_cast<size_t>(p)]) continue;
      blame(fmt::format("sequence {} reads what is not its own at position {}",
                        value(step.sequence), p));
      return;
    }
  }
}

// A frame that is written belongs to its writer alone.
void Shadow::check_writers(const StepPlan& plan) {
  std::set<std::pair<size_t, int64_t>> written;
  for (const SequenceStep& step : plan.sequences) {
    for (size_t g = 0; g < step.frames.size(); g++) {
      const int64_t first = step.first_position / config_.block_tokens;
      for (size_t i = static_cast<size_t>(first); i < step.frames[g].size(); i++) {
        if (!written.emplace(g, step.frames[g][i]).second) blame("two writers of one block");
      }
    }
  }
  for (const SequenceStep& step : plan.sequences) {
    for (size_t g = 0; g < step.frames.size(); g++) {
      const int64_t first = step.first_position / config_.block_tokens;
      for (int64_t i = 0; i < first; i++) {
        const int64_t frame = step.frames[g][static_cast<size_t>(i)];
        if (frame >= 0 && written.contains({g, frame})) blame("a block is written under a reader");
      }
    }
  }
}

// Guesses are written as what they are: nothing that anybody may read as a token.
void Shadow::write(const SequenceStep& step, const Sequence& sequence) {
  const auto tokens = static_cast<int64_t>(sequence.chain.size());
  const int64_t last = step.first_position + step.rows;
  const int64_t end = step.drafts > 0 ? last : std::min(last, tokens);
  for (size_t g = 0; g < step.frames.size(); g++) {
    for (int64_t p = step.first_position; p < end; p++) {
      const int64_t frame = step.frames[g][static_cast<size_t>(p / config_.block_tokens)];
      if (!holds(g, frame)) {
        blame("a row is written to a freed block");
        return;
      }
      const auto at = static_cast<size_t>(p);
      const uint64_t guess = mix(sequence.chain.back(), at);
      content(g, frame)[p % config_.block_tokens] = p < tokens ? sequence.chain[at] : guess;
    }
  }
}

void Shadow::yield(const SequenceStep& step, Sequence& sequence, sched::StepResult& result) {
  if (!step.yields_token || sequence.over) return;
  const auto full = static_cast<int64_t>(sequence.chain.size()) / config_.block_tokens;
  sched::SequenceResult& made = result.sequences.emplace_back();
  made.sequence = step.sequence;
  const auto luck = static_cast<int64_t>(mix(sequence.chain.back(), 21) % 8);
  const int64_t right = std::min(step.drafts, luck);
  for (int64_t i = 0; add_token(sequence, made) && i < right; i++) accept_draft(step, sequence);
  made.block_hashes = block_hashes(sequence.chain, config_.block_tokens, full);
  made.drafts = static_cast<int64_t>(mix(sequence.chain.back(), 22) %
                                     static_cast<uint64_t>(most_drafts_ + 1));
  sequence.drafts = made.drafts;
  if (!made.finished) return;
  sequence.over = true;
  if (cancelled_.contains(sequence.request)) return;
  answers_.push_back(sequence.chain);
  if (--left_.at(sequence.request) == 0) ended_++;
}

// False: it was the last one.
bool Shadow::add_token(Sequence& sequence, sched::SequenceResult& made) {
  const SimRequest& request = requests_.at(sequence.request);
  const auto who = static_cast<uint64_t>(value(sequence.request) * 1000 + sequence.choice);
  sequence.chain.push_back(mix(sequence.chain.back(), request.repeatable ? 7 : 1000 + who));
  made.tokens.push_back(1);
  const int64_t generated =
      static_cast<int64_t>(sequence.chain.size()) - request.request.prompt_tokens;
  if (generated == request.request.max_tokens) {
    made.finished = sched::FinishReason::kLength;
  } else if (generated == request.stop_after[static_cast<size_t>(sequence.choice)]) {
    made.finished = sched::FinishReason::kStop;
  }
  return !made.finished;
}

// The next row's token was guessed and is the sequence's own: what the row wrote is valid.
void Shadow::accept_draft(const SequenceStep& step, Sequence& sequence) {
  const int64_t p = sequence.computed++;
  if (requests_.at(sequence.request).request.all_logits && sequence.choice == 0) {
    sequence.logits_computed = std::max(sequence.logits_computed, sequence.computed);
  }
  for (size_t g = 0; g < step.frames.size(); g++) {
    const int64_t frame = step.frames[g][static_cast<size_t>(p / config_.block_tokens)];
    content(g, frame)[p % config_.block_tokens] = sequence.chain[static_cast<size_t>(p)];
  }
}

}  // namespace strata::sim
