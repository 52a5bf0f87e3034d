// Differences of the times it is told.
#include "engine/meter/answer_meter.h"

#include <algorithm>

namespace strata::engine {
namespace {

double seconds(int64_t from_ns, int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) * 1e-9;
}

}  // namespace

std::string_view ending_name(Ending ending) {
  constexpr std::string_view kNames[] = {"stop", "length", "abort", "error"};
  return kNames[static_cast<size_t>(ending)];
}

void AnswerMeter::arrive(sched::RequestId id, const Asked& asked) {
  prompts_[id] = {.asked = asked, .open = asked.answers};
  stats_.max_tokens.add(static_cast<double>(asked.max_tokens));
  stats_.choices.add(static_cast<double>(asked.answers));
}

void AnswerMeter::start(sched::SequenceId answer, sched::RequestId id, int64_t now_ns) {
  answers_.try_emplace(answer, Answer{.request = id, .started_ns = now_ns});
}

void AnswerMeter::receive(sched::SequenceId answer, int64_t tokens, int64_t now_ns) {
  const auto found = answers_.find(answer);
  if (found == answers_.end() || tokens == 0) return;
  Answer& of = found->second;
  int64_t behind = tokens;
  if (of.tokens == 0) {
    of.first_ns = of.last_ns = now_ns;
    stats_.first_token.add(seconds(prompts_.at(of.request).asked.received_ns, now_ns));
    behind--;
  }
  if (behind > 0) {
    const double gap = seconds(of.last_ns, now_ns) / static_cast<double>(behind);
    stats_.between_tokens.add(gap, behind);
  }
  of.tokens += tokens;
  of.last_ns = now_ns;
}

void AnswerMeter::finish(sched::SequenceId id, Ending ending) {
  const auto ended = answers_.extract(id);
  if (ended.empty()) return;
  const Answer& answer = ended.mapped();
  Prompt& prompt = prompts_.at(answer.request);
  prompt.open--;
  prompt.most_tokens = std::max(prompt.most_tokens, answer.tokens);
  stats_.endings[static_cast<size_t>(ending)]++;
  if (ending == Ending::kStop || ending == Ending::kLength) take_well_ended(answer, prompt.asked);
}

void AnswerMeter::take_well_ended(const Answer& answer, const Asked& asked) {
  stats_.whole.add(seconds(asked.received_ns, answer.last_ns));
  stats_.queue.add(seconds(asked.received_ns, answer.started_ns));
  stats_.prefill.add(seconds(answer.started_ns, answer.first_ns));
  stats_.decode.add(seconds(answer.first_ns, answer.last_ns));
  stats_.inference.add(seconds(answer.started_ns, answer.last_ns));
  stats_.prompt_tokens.add(static_cast<double>(asked.prompt_tokens));
  stats_.tokens.add(static_cast<double>(answer.tokens));
  if (answer.tokens < 2) return;
  stats_.per_token.add(seconds(answer.first_ns, answer.last_ns) /
                       static_cast<double>(answer.tokens - 1));
}

void AnswerMeter::end(sched::RequestId id, Ending ending) {
  const auto ended = prompts_.extract(id);
  if (ended.empty()) return;
  const Prompt& prompt = ended.mapped();
  stats_.endings[static_cast<size_t>(ending)] += prompt.open;
  const bool well = prompt.open == 0;
  if (well) stats_.most_tokens.add(static_cast<double>(prompt.most_tokens));
  std::erase_if(answers_, [id](const auto& entry) { return entry.second.request == id; });
}

}  // namespace strata::engine
