// The sampler against a naive one that sorts everything, its distribution, its ties, and that
// neither history nor the instruction set matters.
#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "kernels/fp_mode.h"
#include "kernels/ref/math.h"
#include "sampling/random.h"
#include "sampling/test_support.h"

namespace strata::sampling {
namespace {

using testing::passes;
using testing::state_of;

// At position `position` of a sequence.
int32_t sampled(std::vector<float> logits, const SamplingParams& params, size_t position = 0) {
  SamplerScratch scratch(passes());
  const std::vector<int32_t> prompt(position, 0);
  const auto made = sample(logits, state_of(params, prompt), scratch);
  EXPECT_TRUE(made) << made.error().message();
  return made ? made->token : -1;
}

struct Token {
  size_t id;
  float logit;
  float weight;
};

bool more_likely(const Token& a, const Token& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

// docs/design/sampling.md: groups of 64 in order of ids, in f32 by the fixed tree, then in double.
double total_of(const std::vector<Token>& tokens) {
  double total = 0;
  for (size_t group = 0; group < tokens.size(); group += 64) {
    float partial[16] = {};
    for (size_t i = group; i < std::min(tokens.size(), group + 64); i++)
      partial[i % 16] += tokens[i].weight;
    total += kernels::fold_tree(partial);
  }
  return total;
}

// Keeps, in the order of `less`, tokens until their weights reach `share`; back in order of ids.
template <class Less>
void keep_share(std::vector<Token>& tokens, double share, Less less) {
  std::ranges::sort(tokens, less);
  double mass = 0;
  size_t kept = 0;
  while (kept < tokens.size() && mass < share) mass += tokens[kept++].weight;
  tokens.resize(kept);
  std::ranges::sort(tokens, {}, &Token::id);
}

void keep_typical(std::vector<Token>& tokens, const SamplingParams& params, float largest) {
  const auto surprise = [&](const Token& t) {
    return static_cast<double>((largest - t.logit) / static_cast<float>(params.temperature));
  };
  const double total = total_of(tokens);
  double sums[16] = {};
  for (size_t i = 0; i < tokens.size(); i++) {
    if (tokens[i].weight > 0) sums[i % 16] += tokens[i].weight * surprise(tokens[i]);
  }
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t i = 0; i < half; i++) sums[i] += sums[i + half];
  }
  const auto deviation = [&](const Token& t) {
    return static_cast<float>(std::abs(surprise(t) - sums[0] / total));
  };
  std::vector<Token> kept = tokens;
  std::erase_if(kept, [](const Token& t) { return t.weight == 0; });
  keep_share(kept, params.typical_p * total, [&](const Token& a, const Token& b) {
    return std::pair(deviation(a), a.id) < std::pair(deviation(b), b.id);
  });
  // The others keep their places.
  for (Token& t : tokens) {
    if (!std::ranges::binary_search(kept, t.id, {}, &Token::id)) t.weight = 0;
  }
}

// By the book: sort all, cut, renormalise, draw in order of ids.
int32_t naive(const std::vector<float>& logits, const SamplingParams& params, size_t position) {
  const kernels::FpModeScope mode;
  std::vector<Token> tokens;
  for (size_t i = 0; i < logits.size(); i++) tokens.push_back({i, logits[i], 0});
  const float largest = std::ranges::min(tokens, more_likely).logit;
  if (params.temperature == 0)
    return static_cast<int32_t>(std::ranges::min(tokens, more_likely).id);
  for (Token& t : tokens)
    t.weight = kernels::exp_f32((t.logit - largest) / static_cast<float>(params.temperature));
  std::erase_if(tokens, [&](const Token& t) { return t.weight < params.min_p; });
  if (params.top_k > 0 && static_cast<size_t>(params.top_k) < tokens.size()) {
    std::ranges::sort(tokens, more_likely);
    tokens.resize(static_cast<size_t>(params.top_k));
    std::ranges::sort(tokens, {}, &Token::id);
  }
  if (params.top_p < 1) keep_share(tokens, params.top_p * total_of(tokens), more_likely);
  if (params.typical_p < 1) keep_typical(tokens, params, largest);
  const double target = uniform(params.seed, params.choice, position) * total_of(tokens);
  double mass = 0;
  for (size_t group = 0; group < tokens.size(); group += 64) {
    const size_t end = std::min(tokens.size(), group + 64);
    const double sum = total_of({tokens.begin() + static_cast<std::ptrdiff_t>(group),
                                 tokens.begin() + static_cast<std::ptrdiff_t>(end)});
    double inside = mass;
    for (size_t i = group; i < end && mass + sum > target; i++) {
      inside += tokens[i].weight;
      if (inside > target) return static_cast<int32_t>(tokens[i].id);
    }
    mass += sum;
  }
  return -1;
}

struct Case {
  std::vector<float> logits;
  SamplingParams params;
};

Case random_case(std::mt19937_64& random) {
  Case made;
  const size_t vocab = 1 + random() % (random() % 50 == 0 ? 30'000 : 200);
  std::normal_distribution<float> normal(0, static_cast<float>(1 + random() % 8));
  const bool coarse = random() % 3 == 0;  // many ties
  for (size_t i = 0; i < vocab; i++) {
    const float value = normal(random);
    made.logits.push_back(coarse ? std::round(value) : value);
  }
  if (random() % 10 == 0) made.logits[random() % vocab] = -INFINITY;
  std::uniform_real_distribution<double> share(0, 1);
  made.params.temperature = random() % 8 == 0 ? 0 : 0.1 + 2 * share(random);
  if (random() % 2 == 0) made.params.top_k = static_cast<int64_t>(random() % (vocab + 3));
  if (random() % 2 == 0) made.params.top_p = 1 - share(random);
  if (random() % 2 == 0) made.params.min_p = share(random) * share(random);
  if (random() % 3 == 0) made.params.typical_p = 1 - share(random);
  made.params.seed = random();
  return made;
}

bool has_number(const std::vector<float>& logits) {
  return std::ranges::any_of(logits, [](float x) { return std::isfinite(x); });
}

TEST(Sampler, EqualsTheNaiveOneInFortyThousandCases) {
  std::mt19937_64 random(5);
  SamplerScratch scratch(passes());
  for (size_t i = 0; i < 40'000; i++) {
    Case made = random_case(random);
    if (!has_number(made.logits)) continue;
    const std::vector<int32_t> prompt(i % 100, 0);
    const int32_t wanted = naive(made.logits, made.params, prompt.size());
    const auto got = sample(made.logits, state_of(made.params, prompt), scratch);
    ASSERT_TRUE(got);
    ASSERT_EQ(got->token, wanted) << "case " << i;
  }
}

TEST(Sampler, GivesTheSameTokenOnEveryInstructionSet) {
  std::mt19937_64 random(15);
  for (int i = 0; i < 300; i++) {
    Case made = random_case(random);
    made.params.logprobs = 5;
    if (!has_number(made.logits)) continue;
    std::optional<Sampled> first;
    for (const kernels::Isa isa : kernels::available_isas()) {
      const auto table = kernels::make_cpu_kernel_table(isa);
      SamplerScratch scratch(table->logits);
      const auto got = sample(made.logits, state_of(made.params), scratch);
      ASSERT_TRUE(got);
      if (!first) first = *got;
      EXPECT_EQ(got->token, first->token);
      EXPECT_EQ(got->logprobs, first->logprobs);
    }
  }
}

TEST(Sampler, EqualsTheNaiveOneOnALargeVocabulary) {
  std::mt19937_64 random(6);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> logits(128'256);
  for (float& logit : logits) logit = normal(random);
  const SamplingParams cases[] = {
      {.top_k = 50},
      {.temperature = 0.7, .top_k = 3000, .top_p = 0.9},
      {.temperature = 0.3, .top_p = 0.5},  // held by the first 128
      {.temperature = 0.5, .top_p = 0.9},  // by the first 1024
      {.temperature = 2, .top_p = 0.9},    // by very many
      {.temperature = 0.8, .min_p = 0.05},
      {.temperature = 2, .min_p = 1e-5},  // leaves more than are weighed one by one
      {.temperature = 1, .typical_p = 0.4},
      {.temperature = 1, .top_p = 0.95, .typical_p = 0.4},
      {.temperature = 1.3},
      {.temperature = 6, .top_p = 0.9},  // by most of a flat row
      {.temperature = 6, .typical_p = 0.9},
      {.temperature = 6, .top_p = 0.7, .typical_p = 0.5},
  };
  for (size_t i = 0; i < std::size(cases); i++) {
    for (uint64_t seed = 0; seed < 5; seed++) {
      SamplingParams params = cases[i];
      params.seed = seed;
      EXPECT_EQ(sampled(logits, params, i), naive(logits, params, i)) << i;
    }
  }
}

// Rows of which most is left, and of which passes rather than lists are made.
std::vector<std::vector<float>> flat_rows() {
  std::mt19937_64 random(17);
  std::normal_distribution<float> normal(0, 0.5f);
  std::vector<float> flat(20'000), coarse(20'000), odd(20'000);
  for (size_t i = 0; i < flat.size(); i++) {
    flat[i] = normal(random);
    coarse[i] = std::round(8 * normal(random)) / 8;
    odd[i] = normal(random);
    const float extremes[] = {-INFINITY, -3e38f, -40, -0.0f, 0, 2.5f};
    if (random() % 4 == 0) odd[i] = extremes[random() % 6];
  }
  return {flat, coarse, odd, std::vector<float>(20'000, -7.25f)};
}

TEST(Sampler, EqualsTheNaiveOneOnFlatRowsOnEveryInstructionSet) {
  const SamplingParams cases[] = {
      {.top_p = 0.9},
      {.top_p = 0.02},
      {.typical_p = 0.9},
      {.temperature = 0.7, .typical_p = 0.2},
      {.temperature = 1.5, .top_p = 0.95, .typical_p = 0.6},
      {.min_p = 0.01, .typical_p = 0.7},
      {.top_k = 15'000, .top_p = 0.8},
      // Shares that rounded sums do not reach.
      {.temperature = 0.9, .top_p = 1 - 1e-15, .typical_p = 0.5},
      {.temperature = 1.1, .top_p = 1 - 1e-15, .typical_p = 0.5},
      {.temperature = 1.3, .top_p = 1 - 1e-15, .typical_p = 0.5},
      {.temperature = 0.9, .typical_p = 1 - 1e-15},
      {.temperature = 1.1, .typical_p = 1 - 1e-15},
      {.temperature = 1.3, .typical_p = 1 - 1e-15},
  };
  for (const std::vector<float>& logits : flat_rows()) {
    for (size_t i = 0; i < std::size(cases); i++) {
      for (uint64_t seed = 0; seed < 3; seed++) {
        SamplingParams params = cases[i];
        params.seed = seed;
        const int32_t want = naive(logits, params, i + 1);
        for (const kernels::Isa isa : kernels::available_isas()) {
          const auto table = kernels::make_cpu_kernel_table(isa);
          SamplerScratch scratch(table->logits);
          std::vector<float> row = logits;
          const std::vector<int32_t> prompt(i + 1, 0);
          const auto got = sample(row, state_of(params, prompt), scratch);
          ASSERT_TRUE(got);
          EXPECT_EQ(got->token, want) << i << " " << kernels::isa_name(isa);
        }
      }
    }
  }
}

// Chi-square with 9 degrees of freedom stays below 33.7 with probability 0.9999; seeds are fixed,
// so this cannot flicker.
double chi_square(const std::vector<float>& logits, const SamplingParams& params,
                  const std::vector<double>& weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int> count(weights.size(), 0);
  constexpr int kDraws = 30'000;
  SamplerScratch scratch(passes());
  std::vector<float> row = logits;
  const DecodeState start = state_of(params);
  for (uint32_t i = 0; i < kDraws; i++) {
    const auto got = sample(row, start.fork(i), scratch);
    count[static_cast<size_t>(got->token)]++;
  }
  double sum = 0;
  for (size_t i = 0; i < weights.size(); i++) {
    const double want = weights[i] / total * kDraws;
    if (want == 0) {
      EXPECT_EQ(count[i], 0) << i;
    }
    if (want > 0) sum += (count[i] - want) * (count[i] - want) / want;
  }
  return sum;
}

TEST(Sampler, DrawsInProportionToTheProbabilities) {
  std::vector<float> logits;
  for (int i = 0; i < 10; i++) logits.push_back(0.3f * static_cast<float>(i % 4));
  for (const double temperature : {0.5, 1.0, 2.0}) {
    std::vector<double> expected;
    for (const float logit : logits) expected.push_back(std::exp(logit / temperature));
    EXPECT_LT(chi_square(logits, {.temperature = temperature, .seed = 42}, expected), 33.7)
        << temperature;
  }
}

TEST(Sampler, DrawsInProportionToWhatFiltersLeave) {
  std::vector<float> logits;
  std::vector<double> weights;
  for (int i = 0; i < 10; i++) {
    logits.push_back(0.2f * static_cast<float>(i));
    weights.push_back(i < 4 ? 0 : std::exp(0.2 * i));
  }
  EXPECT_LT(chi_square(logits, {.top_k = 6, .seed = 1}, weights), 33.7);
  EXPECT_LT(chi_square(logits, {.min_p = 0.35, .seed = 2}, weights), 33.7);
  SamplingParams allowed{.seed = 3};
  for (int32_t id = 4; id < 10; id++) allowed.allowed_token_ids.push_back(id);
  EXPECT_LT(chi_square(logits, allowed, weights), 33.7);
}

TEST(Sampler, BreaksTiesByTheLowestId) {
  const std::vector<float> logits = {1, 3, 3, 3, 0};
  EXPECT_EQ(sampled(logits, {.temperature = 0}), 1);
  EXPECT_EQ(sampled(logits, {.top_k = 1}), 1);
  EXPECT_EQ(sampled(logits, {.top_p = 0.01}), 1);
  std::set<int32_t> seen;
  for (uint64_t seed = 0; seed < 200; seed++)
    seen.insert(sampled(logits, {.top_k = 2, .seed = seed}));
  EXPECT_EQ(seen, (std::set<int32_t>{1, 2}));
  // Zeros of both signs and denormals are one number.
  EXPECT_EQ(sampled({-1, -0.0f, 1e-40f, 0.0f}, {.temperature = 0}), 1);
}

TEST(Sampler, CombinesFiltersInOrder) {
  // After top_k 2 the first holds e / (1 + e) = 0.73 of the rest: top_p 0.7 then keeps it alone,
  // though it holds 0.55 of all.
  const std::vector<float> logits = {1, 0, -0.5f, -0.5f, -30};
  const auto seen = [&](SamplingParams params) {
    std::set<int32_t> ids;
    for (; params.seed < 400; params.seed++) ids.insert(sampled(logits, params));
    return ids;
  };
  EXPECT_EQ(seen({.top_k = 2, .top_p = 0.7}), (std::set<int32_t>{0}));
  EXPECT_EQ(seen({.top_p = 0.7}), (std::set<int32_t>{0, 1}));
  EXPECT_EQ(seen({.min_p = 0.3}), (std::set<int32_t>{0, 1}));
  // min_p goes before top_p as well.
  EXPECT_EQ(seen({.top_p = 0.7, .min_p = 0.3}), (std::set<int32_t>{0}));
  EXPECT_EQ(seen({.top_k = -1, .top_p = 1, .typical_p = 0.1}), (std::set<int32_t>{1}));
}

TEST(Sampler, PassesOverNanButRefusesRowsWithoutANumber) {
  EXPECT_EQ(sampled({NAN, -1, NAN, 2, NAN}, {.temperature = 0}), 3);
  for (uint64_t seed = 0; seed < 50; seed++) {
    EXPECT_EQ(sampled({NAN, -INFINITY, NAN, 2, NAN}, {.seed = seed}), 3);
    EXPECT_EQ(sampled({NAN, -INFINITY, NAN, 2, NAN}, {.top_k = 2, .seed = seed}), 3);
    EXPECT_EQ(sampled({NAN, -INFINITY, NAN, 2, NAN}, {.top_p = 0.999, .seed = seed}), 3);
    EXPECT_EQ(sampled({NAN, -INFINITY, NAN, 2, NAN}, {.typical_p = 0.9, .seed = seed}), 3);
  }
  SamplerScratch scratch(passes());
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> logits = {bad, bad};
    const auto token = sample(logits, state_of({}), scratch);
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code, Code::kInvalidData);
  }
}

TEST(Sampler, RefusesARowOfWhichTheRequestBansEverything) {
  SamplerScratch scratch(passes());
  std::vector<float> logits = {1, 2, 3};
  const SamplingParams banning{.allowed_token_ids = {0, 2}, .bad_words = {{0}, {2}}};
  const auto refused = sample(logits, state_of(banning), scratch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("no token is left"), std::string::npos);
  EXPECT_EQ(logits, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(sample(logits, state_of({.temperature = 0}), scratch)->token, 2);
}

TEST(Sampler, ChoosesAmongAllowedIdsOnly) {
  std::mt19937_64 random(8);
  SamplerScratch scratch(passes());
  for (uint64_t i = 0; i < 2000; i++) {
    Case made = random_case(random);
    made.params.logit_bias.clear();
    std::vector<float> banned(made.logits.size(), -INFINITY);
    for (int j = 0; j < 5; j++) {
      const auto id = random() % made.logits.size();
      made.params.allowed_token_ids.push_back(static_cast<int32_t>(id));
      banned[id] = made.logits[id];
    }
    if (!has_number(banned)) continue;
    const auto got = sample(made.logits, state_of(made.params), scratch);
    ASSERT_TRUE(got);
    ASSERT_NE(std::ranges::find(made.params.allowed_token_ids, got->token),
              made.params.allowed_token_ids.end());
    if (made.params.temperature == 0) {
      EXPECT_EQ(got->token, naive(banned, made.params, 0));
    }
  }
}

}  // namespace
}  // namespace strata::sampling
