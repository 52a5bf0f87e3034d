// Each processor is a loop over the ids it concerns.
#include "sampling/processors.h"

#include <algorithm>
#include <cmath>
#include <ranges>

namespace strata::sampling {
namespace {

class Editor {
 public:
  Editor(std::span<float> logits, SamplerScratch& scratch) : logits_(logits), undo_(scratch.undo) {}
  float& operator[](int32_t id) {
    float& logit = logits_[static_cast<size_t>(id)];
    undo_.emplace_back(id, logit);
    return logit;
  }
  void ban(int32_t id) { (*this)[id] = -INFINITY; }

 private:
  std::span<float> logits_;
  std::vector<std::pair<int32_t, float>>& undo_;
};

// The last token of a word is banned where the answer ends with the others.
void ban_bad_words(const DecodeState& state, Editor& row) {
  const std::span<const int32_t> generated = state.generated();
  for (const std::vector<int32_t>& word : state.params().bad_words) {
    const std::span<const int32_t> start(word.data(), word.size() - 1);
    if (start.size() > generated.size()) continue;
    if (std::ranges::equal(start, generated.last(start.size()))) row.ban(word.back());
  }
}

void ban_early_stops(const DecodeState& state, Editor& row) {
  if (static_cast<int64_t>(state.generated().size()) >= state.params().min_tokens) return;
  if (state.must_end()) return;
  for (const int32_t id : state.request().stop_ids) row.ban(id);
}

void repeat(float penalty, float& logit) { logit = logit > 0 ? logit / penalty : logit * penalty; }

void penalise_repetition(const DecodeState& state, Editor& row) {
  const auto penalty = static_cast<float>(state.params().repetition_penalty);
  if (penalty == 1) return;
  const std::vector<int32_t>& prompt = state.request().prompt_ids;
  for (const int32_t id : prompt) repeat(penalty, row[id]);
  for (const DecodeState::Count& count : state.counts()) {
    if (!std::ranges::binary_search(prompt, count.id)) repeat(penalty, row[count.id]);
  }
}

void penalise_frequency_and_presence(const DecodeState& state, Editor& row) {
  const auto frequency = static_cast<float>(state.params().frequency_penalty);
  const auto presence = static_cast<float>(state.params().presence_penalty);
  if (frequency == 0 && presence == 0) return;
  for (const DecodeState::Count& count : state.counts()) {
    float& logit = row[count.id];
    logit = (logit - frequency * static_cast<float>(count.times)) - presence;
  }
}

}  // namespace

void apply_processors(std::span<float> logits, const DecodeState& state, SamplerScratch& scratch) {
  scratch.undo.clear();
  Editor row(logits, scratch);
  ban_bad_words(state, row);
  ban_early_stops(state, row);
  for (const auto& [id, bias] : state.params().logit_bias) row[id] += static_cast<float>(bias);
  penalise_repetition(state, row);
  penalise_frequency_and_presence(state, row);
}

void undo_processors(std::span<float> logits, SamplerScratch& scratch) {
  // Backwards: an id may have been changed more than once.
  for (const auto& [id, logit] : scratch.undo | std::views::reverse)
    logits[static_cast<size_t>(id)] = logit;
  scratch.undo.clear();
}

}  // namespace strata::sampling
