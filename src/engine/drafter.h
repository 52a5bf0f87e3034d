// Who guesses tokens for speculation: by looking back in the sequence (ngram.h) or by asking a
// smaller model (draft_model.h). Whatever it guesses, the model's own draws decide (worker.h); a
// bad guess costs time and never changes a token.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "engine/ngram.h"
#include "sampling/decode_state.h"
#include "sched/types.h"

namespace strata::engine {

/// One sequence that may have guesses. Pointers are valid during the call.
struct DraftTask {
  sched::SequenceId sequence{};
  std::span<const int32_t> tokens;               // prompt and generated
  const sampling::DecodeState* state = nullptr;  // before the next token
  int64_t most = 0;                              // guesses wanted, >= 1
  std::vector<int32_t> drafts{};                 // the guesses, filled in; may stay empty
};

/// The engine's thread uses it.
class Drafter {
 public:
  virtual ~Drafter() = default;
  /// Tokens of a sequence must begin with those of the call before, unless it was forgotten.
  virtual void draft(std::span<DraftTask> tasks) = 0;
  /// The sequence has ended or lost its place; it may come back as a new one.
  virtual void forget(sched::SequenceId sequence) = 0;
};

class NgramDrafter final : public Drafter {
 public:
  explicit NgramDrafter(NgramRange range) : range_(range) {}

  void draft(std::span<DraftTask> tasks) override {
    for (DraftTask& task : tasks) {
      NgramIndex& index = indexes_.try_emplace(task.sequence, range_).first->second;
      const auto guess = index.guess(task.tokens, task.most);
      task.drafts.assign(guess.begin(), guess.end());
    }
  }
  void forget(sched::SequenceId sequence) override { indexes_.erase(sequence); }

 private:
  NgramRange range_;
  std::map<sched::SequenceId, NgramIndex> indexes_;
};

}  // namespace strata::engine
