// What clients have felt since the start, as histograms: times of answers, lengths, how they ended.
// Plain numbers; the meter (answer_meter.h) fills them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/meter/histogram.h"

namespace strata::engine {

enum class Ending : uint8_t { kStop, kLength, kAbort, kError };
inline constexpr size_t kEndings = 4;
/// "stop", "length", "abort", "error".
std::string_view ending_name(Ending ending);

// The borders that dashboards of vLLM expect, with finer ones below where a small model is faster.
inline constexpr double kFirstTokenBounds[] = {.001, .005, .01, .02, .04, .06, .08, .1,
                                               .25,  .5,   .75, 1,   2.5, 5,   7.5, 10,
                                               20,   40,   80,  160, 640, 2560};
inline constexpr double kTokenBounds[] = {.001, .002, .005, .01, .025, .05, .075, .1, .15, .2, .3,
                                          .4,   .5,   .75,  1,   2.5,  5,   7.5,  10, 20,  40, 80};
inline constexpr double kAnswerBounds[] = {.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                           30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
inline constexpr double kLengthBounds[] = {1,     2,      5,      10,     20,     50,    100,
                                           200,   500,    1000,   2000,   5000,   10000, 20000,
                                           50000, 100000, 200000, 500000, 1000000};
inline constexpr double kChoiceBounds[] = {1, 2, 5, 10, 20, 50, 100};
inline constexpr double kStepBounds[] = {1,   8,    16,   32,   64,   128,  256,
                                         512, 1024, 2048, 4096, 8192, 16384};

/// Times in seconds, from when the request was received; one value for each answer that ended well
/// unless said otherwise. An answer is one of a prompt's `n`.
struct AnswerStats {
  Histogram first_token{kFirstTokenBounds};  // each first token
  Histogram between_tokens{kTokenBounds};    // each token behind it; of several at once, evenly
  Histogram per_token{kTokenBounds};  // the mean of between_tokens of answers of two or more tokens
  Histogram whole{kAnswerBounds};
  Histogram queue{kAnswerBounds};      // until it started
  Histogram prefill{kAnswerBounds};    // from there to the first token
  Histogram decode{kAnswerBounds};     // from there to the last
  Histogram inference{kAnswerBounds};  // both
  Histogram prompt_tokens{kLengthBounds};
  Histogram tokens{kLengthBounds};
  Histogram most_tokens{kLengthBounds};     // the longest answer of each prompt
  Histogram max_tokens{kLengthBounds};      // as asked, each prompt
  Histogram choices{kChoiceBounds};         // as asked, each prompt
  Histogram step_rows{kStepBounds};         // each step
  std::array<int64_t, kEndings> endings{};  // all answers
};

}  // namespace strata::engine
