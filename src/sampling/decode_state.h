// What sampling must remember of one sequence: the tokens it generated, how often, its text and the
// stops in it, its place in a grammar. Between the sampler, which reads it, and the worker, which
// commits a token a step to it. A value: a copy forks the sequence, truncate() takes tokens back.
// It chooses nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sampling/params.h"
#include "sampling/stop_strings.h"
#include "text/detokenizer.h"
#include "text/guide.h"

namespace strata::sampling {

/// What stays the same through a sequence and all its forks; ids sorted, each once.
struct DecodeRequest {
  SamplingParams params;
  std::vector<int32_t> stop_ids;
  std::vector<int32_t> end_ids;  // of stop_ids the model's own: what ends a text that is whole
  std::vector<int32_t> allowed_ids;
  std::vector<int32_t> prompt_ids;
  int64_t prompt_tokens = 0;
  std::shared_ptr<const StopStrings> stops;
};

/// Params must be valid. `stop_ids`, within the vocabulary: those of the model that end the
/// sequence besides the request's own.
std::shared_ptr<const DecodeRequest> make_decode_request(SamplingParams params,
                                                         std::span<const int32_t> prompt,
                                                         std::vector<int32_t> stop_ids);

class DecodeState {
 public:
  struct Count {
    int32_t id = 0;
    int32_t times = 0;
  };
  /// What became certain with a token, or at the end.
  struct Committed {
    std::string text;
    bool stopped = false;             // by a stop id, a stop string or the end of the grammar
    std::optional<std::string> stop;  // the stop string
  };

  /// Without a detokenizer there is no text, and stop strings are not looked for.
  explicit DecodeState(std::shared_ptr<const DecodeRequest> request,
                       std::optional<text::Detokenizer> detokenizer = {});

  /// The next token. Nothing may be committed after `stopped` but a truncate().
  Committed commit(int32_t token);
  /// The rest of the text, where something else than a stop ends the sequence. A stop string that
  /// only this rest completes still ends the text, with `stopped`.
  Committed finish();

  /// Finds which tokens the grammar lets come next; no more than a look where that is known, or
  /// there is no grammar. sample() needs it. Touches nothing but the guide.
  void prepare_mask();
  /// Null without a grammar.
  const text::Guide* guide() const { return guide_ ? &*guide_ : nullptr; }
  /// The grammar lets nothing but an end follow.
  bool must_end() const { return guide_ && guide_->complete(); }

  /// The same sequence up to here, as another choice of its request.
  DecodeState fork(uint32_t choice) const;
  /// Back to the first `generated` tokens, as if no other had been committed. Costs as much as
  /// committing those again.
  void truncate(int64_t generated);

  const DecodeRequest& request() const { return *request_; }
  const SamplingParams& params() const { return request_->params; }
  std::span<const int32_t> generated() const { return generated_; }
  /// Of the generated tokens, by ascending id.
  std::span<const Count> counts() const { return counts_; }
  uint32_t choice() const { return choice_; }
  /// Position of the next token, counted from the first prompt token.
  int64_t position() const {
    return request_->prompt_tokens + static_cast<int64_t>(generated_.size());
  }
  /// Bytes of text that commit() and finish() have given out.
  int64_t text_bytes() const { return text_bytes_; }

 private:
  Committed match(std::string_view text, bool last);
  void count(int32_t token);
  bool stops_count() const { return static_cast<int64_t>(generated_.size()) > params().min_tokens; }
  void guide_past(int32_t token);

  std::shared_ptr<const DecodeRequest> request_;
  std::optional<text::Detokenizer> fresh_;  // where truncate() starts again
  std::optional<text::Detokenizer> detokenizer_;
  StopMatcher matcher_;
  std::optional<text::Guide> guide_;
  std::vector<int32_t> generated_;
  std::vector<Count> counts_;
  int64_t text_bytes_ = 0;
  uint32_t choice_ = 0;
};

}  // namespace strata::sampling
