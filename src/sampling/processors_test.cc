// Every processor against a walk over all ids, their order, and that a row comes back as it was.
#include "sampling/processors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "sampling/test_support.h"

namespace strata::sampling {
namespace {

using testing::passes;
using testing::state_of;

struct World {
  SamplingParams params;
  std::vector<int32_t> prompt, generated, stop_ids;
  DecodeState state() const { return state_of(params, prompt, generated, stop_ids); }
};

std::vector<float> processed(std::vector<float> logits, const World& world) {
  SamplerScratch scratch(passes());
  apply_processors(logits, world.state(), scratch);
  return logits;
}

// Over the whole row, as docs/design/sampling.md lists the steps.
std::vector<float> naive(std::vector<float> logits, const World& world) {
  const SamplingParams& p = world.params;
  for (size_t id = 0; id < logits.size(); id++) {
    const auto token = static_cast<int32_t>(id);
    const auto in = [&](const std::vector<int32_t>& ids) {
      return static_cast<float>(std::ranges::count(ids, token));
    };
    float& logit = logits[id];
    for (const std::vector<int32_t>& word : p.bad_words) {
      std::vector<int32_t> end = world.generated;
      end.push_back(token);
      if (end.size() >= word.size() && std::equal(word.rbegin(), word.rend(), end.rbegin()))
        logit = -INFINITY;
    }
    if (world.generated.size() < static_cast<size_t>(p.min_tokens) && in(world.stop_ids) > 0)
      logit = -INFINITY;
    for (const auto& [biased, bias] : p.logit_bias) {
      if (biased == token) logit += static_cast<float>(bias);
    }
    const auto repetition = static_cast<float>(p.repetition_penalty);
    if (in(world.prompt) + in(world.generated) > 0)
      logit = logit > 0 ? logit / repetition : logit * repetition;
    logit -= static_cast<float>(p.frequency_penalty) * in(world.generated);
    if (in(world.generated) > 0) logit -= static_cast<float>(p.presence_penalty);
  }
  return logits;
}

World random_world(std::mt19937_64& random, int32_t vocab) {
  World made;
  const auto ids = [&](size_t most) {
    std::vector<int32_t> list(random() % most);
    for (int32_t& id : list) id = static_cast<int32_t>(random() % static_cast<uint64_t>(vocab));
    return list;
  };
  const auto some = [&](double low, double high) {
    return random() % 2 == 0 ? 0 : std::uniform_real_distribution<double>(low, high)(random);
  };
  made.prompt = ids(20);
  made.generated = ids(20);
  made.stop_ids = ids(4);
  made.params.repetition_penalty = 1 + some(-0.5, 1);
  made.params.presence_penalty = some(-2, 2);
  made.params.frequency_penalty = some(-2, 2);
  made.params.min_tokens = static_cast<int64_t>(random() % 20);
  for (int i = 0; i < 3; i++) {
    std::vector<int32_t> word = ids(3);
    word.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(vocab)));
    made.params.bad_words.push_back(word);
    // Twice the same id would be refused.
    made.params.logit_bias.emplace_back(i, some(-100, 100));
  }
  return made;
}

TEST(Processors, EqualAWalkOverAllIdsAndComeBack) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal(0, 3);
  SamplerScratch scratch(passes());
  for (int i = 0; i < 5000; i++) {
    const World world = random_world(random, 8);
    std::vector<float> logits(8);
    for (float& logit : logits) logit = normal(random);
    std::vector<float> row = logits;
    apply_processors(row, world.state(), scratch);
    const std::vector<float> wanted = naive(logits, world);
    for (size_t id = 0; id < row.size(); id++) ASSERT_EQ(row[id], wanted[id]) << i << " " << id;
    undo_processors(row, scratch);
    ASSERT_EQ(std::memcmp(row.data(), logits.data(), row.size() * sizeof(float)), 0);
  }
}

TEST(Processors, PenaliseWhatWasSaid) {
  const std::vector<float> logits = {2, 2, 2, -2};
  const World said{.params = {}, .prompt = {1}, .generated = {2, 2, 3}, .stop_ids = {}};
  World world = said;
  world.params.repetition_penalty = 2;
  EXPECT_EQ(processed(logits, world), (std::vector<float>{2, 1, 1, -4}));
  world = said;
  world.params.presence_penalty = 0.5;
  EXPECT_EQ(processed(logits, world), (std::vector<float>{2, 2, 1.5f, -2.5f}));
  world = said;
  world.params.frequency_penalty = -0.5;
  EXPECT_EQ(processed(logits, world), (std::vector<float>{2, 2, 3, -1.5f}));
}

TEST(Processors, BanTheLastTokenOfABadWord) {
  const std::vector<float> logits = {0, 0, 0};
  World world{
      .params = {.bad_words = {{0, 1, 2}, {1}}}, .prompt = {0, 1}, .generated = {}, .stop_ids = {}};
  EXPECT_EQ(processed(logits, world), (std::vector<float>{0, -INFINITY, 0}));
  world.generated = {2, 0, 1};
  EXPECT_EQ(processed(logits, world), (std::vector<float>{0, -INFINITY, -INFINITY}));
}

TEST(Processors, BanStopIdsUntilMinTokens) {
  World world{.params = {.min_tokens = 2}, .prompt = {0}, .generated = {1}, .stop_ids = {2}};
  EXPECT_EQ(processed({0, 0, 0}, world)[2], -INFINITY);
  world.generated = {1, 1};
  EXPECT_EQ(processed({0, 0, 0}, world)[2], 0);
}

TEST(Processors, BiasGoesBeforeThePenalty) {
  World world{.params = {.repetition_penalty = 2, .logit_bias = {{0, 3}}},
              .prompt = {0},
              .generated = {},
              .stop_ids = {}};
  EXPECT_EQ(processed({-1}, world)[0], 1);
}

}  // namespace
}  // namespace strata::sampling
