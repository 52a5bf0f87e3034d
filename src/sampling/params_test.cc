// Every bad value is refused with its name and the range.
#include "sampling/params.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace strata::sampling {
namespace {

constexpr ParamLimits kLimits = {.vocab = 100, .max_tokens = 10};

std::string refusal(const SamplingParams& params) {
  const auto checked = validate(params, kLimits);
  if (checked) return "accepted";
  EXPECT_EQ(checked.error().code, Code::kInvalidArgument);
  return checked.error().message();
}

void expect(const SamplingParams& params, const std::string& name, const std::string& range) {
  const std::string message = refusal(params);
  EXPECT_TRUE(message.starts_with(name)) << message;
  EXPECT_NE(message.find("expected " + range), std::string::npos) << message;
}

TEST(Params, AcceptTheEndsOfTheirRanges) {
  EXPECT_EQ(refusal({}), "accepted");
  EXPECT_EQ(refusal({.temperature = 0, .top_k = -1, .min_p = 1, .repetition_penalty = 1e-6}),
            "accepted");
  EXPECT_EQ(refusal({.temperature = 100,
                     .presence_penalty = 2,
                     .frequency_penalty = -2,
                     .logit_bias = {{0, -100}, {99, 100}},
                     .allowed_token_ids = {0, 99, 99},
                     .bad_words = {{99}},
                     .min_tokens = 10,
                     .stop = {"x"},
                     .logprobs = 20,
                     .prompt_logprobs = 0}),
            "accepted");
}

TEST(Params, NameWhatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {-0.1, 100.5, nan, infinity})
    expect({.temperature = bad}, "temperature: got", "0 to 100");
  expect({.top_k = -2}, "top_k: got -2", "-1 or 0 (off) or more");
  for (const double bad : {0.0, 1.1, -1.0, nan}) {
    expect({.top_p = bad}, "top_p: got", "more than 0, at most 1");
    expect({.typical_p = bad}, "typical_p: got", "more than 0, at most 1");
  }
  for (const double bad : {-0.1, 1.5, nan}) expect({.min_p = bad}, "min_p: got", "0 to 1");
  for (const double bad : {0.0, -1.0, nan, infinity})
    expect({.repetition_penalty = bad}, "repetition_penalty: got", "1e-6 to 1e6");
  for (const double bad : {-2.1, 2.1, nan, infinity}) {
    expect({.presence_penalty = bad}, "presence_penalty: got", "-2 to 2");
    expect({.frequency_penalty = bad}, "frequency_penalty: got", "-2 to 2");
  }
}

TEST(Params, NameIdsOutsideTheVocabulary) {
  for (const int32_t bad : {-1, 100}) {
    const std::string range = "a token id from 0 to 99";
    expect({.logit_bias = {{bad, 0}}}, "logit_bias: got", range);
    expect({.allowed_token_ids = {1, bad}}, "allowed_token_ids[1]: got", range);
    expect({.stop_token_ids = {bad}}, "stop_token_ids[0]: got", range);
    expect({.bad_words = {{1}, {2, bad}}}, "bad_words[1][1]: got", range);
  }
}

TEST(Params, NameListsThatAreNoLists) {
  for (const double bad : {100.1, -101.0, std::numeric_limits<double>::quiet_NaN()})
    expect({.logit_bias = {{7, bad}}}, "logit_bias[7]: got", "-100 to 100");
  expect({.logit_bias = {{7, 1}, {7, 2}}}, "logit_bias: got id 7 twice", "each id once");
  SamplingParams many;
  for (size_t i = 0; i <= kMaxLogitBias; i++) many.logit_bias.emplace_back(0, 0);
  expect(many, "logit_bias: got 4097 ids", "at most 4096");
  expect({.bad_words = {{1}, {}}}, "bad_words[1]: got no token", "at least one");
  expect({.bad_words = std::vector<std::vector<int32_t>>(kMaxBadWords + 1, {1})},
         "bad_words: got 1025 words", "at most 1024");
  expect({.bad_words = {std::vector<int32_t>(kMaxBadWordTokens + 1, 1)}},
         "bad_words[0]: got 65 tokens", "at most 64");
}

TEST(Params, NameStopsAndCounts) {
  expect({.stop = {"a", ""}}, "stop[1]: got an empty text", "some text");
  expect({.stop = std::vector<std::string>(kMaxStops + 1, "a")}, "stop: got 65 texts",
         "at most 64");
  expect({.stop = {std::string(kMaxStopBytes + 1, 'a')}}, "stop[0]: got 4097 bytes",
         "at most 4096");
  for (const int64_t bad : {-1, 11})
    expect({.min_tokens = bad}, "min_tokens: got", "0 to max_tokens (10)");
  for (const int64_t bad : {-1, 21}) {
    expect({.logprobs = bad}, "logprobs: got", "0 to 20");
    expect({.prompt_logprobs = bad}, "prompt_logprobs: got", "0 to 20");
  }
}

}  // namespace
}  // namespace strata::sampling
