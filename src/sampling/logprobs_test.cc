// Log-probabilities against sums in double and a full sort; they are the model's, not the
// request's.
#include "sampling/logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "sampling/test_support.h"

namespace strata::sampling {
namespace {

using testing::passes;
using testing::state_of;

std::vector<TokenLogprob> naive(const std::vector<float>& logits) {
  const float largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  std::vector<TokenLogprob> all;
  for (size_t i = 0; i < logits.size(); i++) {
    all.push_back({static_cast<int32_t>(i),
                   static_cast<float>(static_cast<double>(logits[i]) - largest - std::log(sum))});
  }
  std::ranges::stable_sort(all, std::greater<>(), [&](const TokenLogprob& token) {
    return logits[static_cast<size_t>(token.id)];
  });
  return all;
}

TEST(Logprobs, EqualASortOfAllOnRowsOfAnySize) {
  std::mt19937_64 random(4);
  SamplerScratch scratch(passes());
  for (int i = 0; i < 300; i++) {
    const size_t vocab = 20 + random() % (i % 10 == 0 ? 20'000 : 300);
    std::normal_distribution<float> normal(0, 3);
    std::vector<float> logits(vocab);
    for (float& logit : logits) logit = i % 3 == 0 ? std::round(normal(random)) : normal(random);
    const auto token = static_cast<int32_t>(random() % vocab);
    const int64_t count = i % 21;
    const TokenLogprobs got = logprobs_of(logits, token, count, scratch);
    const std::vector<TokenLogprob> all = naive(logits);
    EXPECT_EQ(got.chosen.id, token);
    EXPECT_NEAR(got.chosen.logprob, std::ranges::find(all, token, &TokenLogprob::id)->logprob,
                1e-5);
    ASSERT_EQ(got.top.size(), static_cast<size_t>(count));
    for (size_t k = 0; k < got.top.size(); k++) {
      EXPECT_EQ(got.top[k].id, all[k].id) << i << " " << k;
      EXPECT_NEAR(got.top[k].logprob, all[k].logprob, 1e-5);
    }
  }
}

TEST(Logprobs, AreThoseOfTheRowBeforeTheRequestChangesIt) {
  SamplerScratch scratch(passes());
  std::vector<float> logits = {3, 2, 1, 0};
  const TokenLogprobs plain = logprobs_of(logits, 2, 4, scratch);
  const SamplingParams params{.temperature = 0,
                              .repetition_penalty = 2,
                              .logit_bias = {{3, -50}},
                              .bad_words = {{0}, {1}},
                              .logprobs = 4};
  const auto got = sample(logits, state_of(params, {2}), scratch);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->token, 2);
  ASSERT_TRUE(got->logprobs);
  EXPECT_EQ(*got->logprobs, plain);
  EXPECT_EQ(got->logprobs->top.front().id, 0);
}

TEST(Logprobs, HoldOnRowsWithoutEverything) {
  SamplerScratch scratch(passes());
  const TokenLogprobs odd = logprobs_of(std::vector<float>{NAN, 0, -INFINITY, NAN}, 2, 20, scratch);
  EXPECT_EQ(odd.chosen.logprob, -INFINITY);
  ASSERT_EQ(odd.top.size(), 2u);  // NaN is no number
  EXPECT_EQ(odd.top[0], (TokenLogprob{1, 0}));
  std::vector<float> row = {0, 1};
  EXPECT_FALSE(sample(row, state_of({}), scratch)->logprobs);
  EXPECT_TRUE(logprobs_of(std::vector<float>{0, 1}, 1, 0, scratch).top.empty());
}

}  // namespace
}  // namespace strata::sampling
