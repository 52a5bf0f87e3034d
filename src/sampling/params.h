// What a request may ask of sampling, and the ranges of it. Plain values: nothing here samples.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "text/guide.h"

namespace strata::sampling {

/// Numbers of things that a request may ask for, so that one cannot make all others wait.
inline constexpr int64_t kMaxLogprobs = 20;
inline constexpr size_t kMaxStops = 64;
inline constexpr size_t kMaxStopBytes = 4096;
inline constexpr size_t kMaxBadWords = 1024;
inline constexpr size_t kMaxBadWordTokens = 64;
inline constexpr size_t kMaxLogitBias = 4096;

struct SamplingParams {
  double temperature = 1;  // 0..100; 0 = greedy: the filters and the seed have no part in it
  int64_t top_k = 0;       // keep the k most likely; 0 or -1 = all
  double top_p = 1;        // (0, 1]: keep the fewest most likely that hold this share
  double min_p = 0;        // [0, 1]: keep what is at least this likely relative to the most likely
  double typical_p = 1;    // (0, 1]: keep the fewest most typical that hold this share
  uint64_t seed = 0;
  uint32_t choice = 0;            // of the first answer to the request; further ones count on
  double repetition_penalty = 1;  // above 0; of prompt and answer
  double presence_penalty = 0;    // -2..2; of the answer
  double frequency_penalty = 0;   // -2..2; of the answer
  std::vector<std::pair<int32_t, double>> logit_bias = {};  // id, -100..100; an id once
  std::vector<int32_t> allowed_token_ids = {};              // empty: all
  std::vector<std::vector<int32_t>> bad_words = {};         // token sequences never completed
  int64_t min_tokens = 0;                                   // before these no stop counts
  std::vector<int32_t> stop_token_ids = {};                 // the answer ends with one of them
  std::vector<std::string> stop = {};                       // UTF-8; the answer ends before them
  bool include_stop = false;                                // ... or after them
  std::optional<text::Grammar> grammar = {};                // of the model's vocabulary
  std::optional<int64_t> logprobs = {};                     // 0..20 most likely beside the chosen
  std::optional<int64_t> prompt_logprobs = {};              // the same for the prompt's tokens
};

/// What the ranges of some parameters depend on.
struct ParamLimits {
  int64_t vocab = 0;
  int64_t max_tokens = 0;
};

/// kInvalidArgument naming the parameter, its value and its range.
Result<void> validate(const SamplingParams& params, const ParamLimits& limits);

}  // namespace strata::sampling
