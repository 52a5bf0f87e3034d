// What sequences share and give up: prefix hits, preemption and several answers to a request change
// nothing about a token or a logit.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/test_running.h"

namespace strata::engine {
namespace {

using testing::each_alone;
using testing::expect_same;
using testing::Outcome;
using testing::prompt;
using testing::Running;
using testing::warm;

// Prompts that share their first 0, 1, 2 .. tokens with one that ran before: the cache skips every
// full block of what they share, and nothing else changes.
TEST(Engine, PrefixHitsChangeNothingAtAnySplit) {
  const std::vector<int32_t> base = prompt(110, 77);
  std::vector<GenerateRequest> requests = {warm(base, 3, 1)};
  int64_t shared = 0;
  for (size_t split = 0; split <= base.size(); split++) {
    std::vector<int32_t> ids(base.begin(), base.begin() + static_cast<std::ptrdiff_t>(split));
    ids.push_back((split < base.size() ? base[split] + 1 : 3) % 97);
    ids.push_back(static_cast<int32_t>(split) % 97);
    requests.push_back(warm(std::move(ids), 3, split));
    shared += static_cast<int64_t>(split / 32 * 32);
  }
  const std::vector<Outcome> expected = each_alone(requests);
  Running cached({.threads = 2, .max_num_seqs = 4});
  std::vector<Outcome> outcomes(requests.size());
  cached.add(requests[0], outcomes[0]);
  cached.finish();
  for (size_t i = 1; i < requests.size(); i++) cached.add(requests[i], outcomes[i]);
  cached.finish();
  for (size_t i = 0; i < requests.size(); i++) {
    expect_same(outcomes[i], expected[i], "split " + std::to_string(i) + " - 1");
  }
  EXPECT_EQ(cached.engine().stats().scheduler.cached_tokens, shared);
}

TEST(Engine, SharesAmongRequestsThatComeTogetherAndWithAnswers) {
  const std::vector<int32_t> ids = prompt(70, 5);
  Running running({.max_num_seqs = 8});
  std::vector<Outcome> outcomes(8);
  for (Outcome& outcome : outcomes) running.add(warm(ids, 40, 9), outcome);
  running.finish();
  EXPECT_EQ(running.engine().stats().scheduler.cached_tokens, 7 * 64);
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.ids, outcomes[0].ids);
  // The next turn of a conversation: 110 tokens of it are prompt and answer, 96 in full blocks.
  std::vector<int32_t> turn = ids;
  turn.insert(turn.end(), outcomes[0].ids.begin(), outcomes[0].ids.end());
  turn.push_back(1);
  const std::vector<GenerateRequest> next = {warm(turn, 5, 2)};
  Outcome second;
  running.add(next[0], second);
  running.finish();
  EXPECT_EQ(running.engine().stats().scheduler.cached_tokens, 7 * 64 + 96);
  expect_same(second, each_alone(next)[0], "second turn");
}

TEST(Engine, SharesNothingAcrossSaltsOrWithoutTheCache) {
  for (const bool salted : {true, false}) {
    Running running({.max_num_seqs = 2, .prefix_caching = salted});
    std::vector<Outcome> outcomes(2);
    for (size_t i = 0; i < 2; i++) {
      GenerateRequest request = warm(prompt(70, 5), 3, 1);
      request.cache_salt = salted && i > 0 ? "tenant" : "";
      running.add(std::move(request), outcomes[i]);
      running.finish();
    }
    EXPECT_EQ(running.engine().stats().scheduler.cached_tokens, 0);
    EXPECT_EQ(outcomes[0].ids, outcomes[1].ids);
  }
}

// A pool of 256 blocks for 40 sequences that all grow to 8: many give way, some again and again,
// and start over behind what they had generated. Logits of every row still come once.
TEST(Engine, PreemptionChangesNothing) {
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 40; i++) {
    const int64_t prompt_tokens = 20 + i % 13;
    requests.push_back(warm(prompt(prompt_tokens, i % 29), 256 - prompt_tokens - i % 5, i));
    requests.back().all_logits = i % 4 == 0;
  }
  const std::vector<Outcome> expected = each_alone(requests);
  for (const bool caching : {true, false}) {
    Running crowded({.threads = 2, .max_num_seqs = 64, .kv_blocks = 8, .prefix_caching = caching});
    std::vector<Outcome> outcomes(requests.size());
    for (size_t i = 0; i < requests.size(); i++) {
      const size_t shuffled = i * 17 % requests.size();
      crowded.add(requests[shuffled], outcomes[shuffled]);
    }
    crowded.finish();
    for (size_t i = 0; i < requests.size(); i++) {
      expect_same(outcomes[i], expected[i], "request " + std::to_string(i));
    }
    EXPECT_GE(crowded.engine().stats().scheduler.preemptions, 5);
  }
}

// Several answers share their prompt's blocks, also the last one, which is copied when the first of
// them writes into it.
TEST(Engine, GivesEachOfSeveralAnswersAsIfAlone) {
  for (const int64_t tokens : {1, 31, 32, 33, 90}) {
    GenerateRequest request = warm(prompt(tokens, 3), 45, 8);
    request.n = 4;
    std::vector<std::vector<int32_t>> answers(4);
    int endings = 0;
    Running running({.max_num_seqs = 3});
    const auto id = running.engine().submit(request, [&](const Update& update) {
      if (update.token) answers[static_cast<size_t>(update.choice)].push_back(*update.token);
      endings += update.finished ? 1 : 0;
    });
    ASSERT_TRUE(id);
    running.finish();
    EXPECT_EQ(endings, 4);
    EXPECT_GE(running.engine().stats().scheduler.forks, 2);
    EXPECT_GE(running.engine().stats().scheduler.block_copies, 2);
    std::vector<GenerateRequest> single;
    for (uint32_t choice = 0; choice < 4; choice++) {
      single.push_back(warm(prompt(tokens, 3), 45, 8));
      single.back().sampling.choice = choice;
    }
    const std::vector<Outcome> expected = each_alone(single);
    for (size_t choice = 0; choice < 4; choice++) {
      EXPECT_EQ(answers[choice], expected[choice].ids) << tokens << " choice " << choice;
    }
  }
}

TEST(Engine, CancelsAllAnswersAtOnce) {
  GenerateRequest request = warm(prompt(10, 3), 45, 8);
  request.n = 3;
  Outcome outcome;
  Running running({.max_num_seqs = 2});
  const auto id = running.add(std::move(request), outcome);
  for (int i = 0; i < 5; i++) running.engine().step();
  running.engine().cancel(id);
  running.finish();
  EXPECT_EQ(outcome.endings, 1);
  EXPECT_EQ(outcome.finished, sched::FinishReason::kCancelled);
}

}  // namespace
}  // namespace strata::engine
