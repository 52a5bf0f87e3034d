// The whole step loop on a tiny model with two KV groups: results do not depend on what runs beside
// a request, every request ends, and every way to end is told apart.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "engine/test_running.h"

namespace strata::engine {
namespace {

using sched::FinishReason;
using testing::greedy;
using testing::Outcome;
using testing::plain;
using testing::prompt;
using testing::Running;
using testing::small_machine;

// Prompts around the sizes of a block (32), the window (40) and a chunk, up to several windows
// long.
constexpr int64_t kPrompts[] = {1, 32, 33, 41, 100};

constexpr int64_t kTokens = 14;

std::map<int64_t, Outcome> run_all(const EngineConfig& config) {
  Running running(config);
  std::map<int64_t, Outcome> outcomes;
  for (const int64_t tokens : kPrompts) {
    running.add(greedy(tokens, kTokens, static_cast<uint32_t>(tokens)), outcomes[tokens]);
  }
  running.finish();
  return outcomes;
}

TEST(Engine, LogitsDoNotDependOnBatchChunkThreadsOrPool) {
  const EngineConfig alone{.threads = 1, .max_num_seqs = 1, .max_model_len = 256};
  const auto expected = run_all(alone);
  for (const EngineConfig& config : {
           EngineConfig{.threads = 1, .prefill_chunk = 1, .max_num_seqs = 4, .max_model_len = 256},
           EngineConfig{.threads = 1, .prefill_chunk = 7, .max_num_seqs = 64, .max_model_len = 256},
           EngineConfig{.threads = 2,
                        .prefill_chunk = 256,
                        .max_num_seqs = 3,
                        .kv_blocks = 8,
                        .max_model_len = 200},
           EngineConfig{.isa = kernels::Isa::kScalar,
                        .threads = 1,
                        .prefill_chunk = 33,
                        .max_num_seqs = 9,
                        .all_logits = true},
       }) {
    const auto got = run_all(config);
    for (const auto& [tokens, outcome] : expected) {
      const Outcome& other = got.at(tokens);
      EXPECT_EQ(other.ids, outcome.ids) << tokens;
      EXPECT_EQ(other.endings, 1);
      ASSERT_EQ(other.logits.size(), static_cast<size_t>((tokens + kTokens - 1) * 97)) << tokens;
      EXPECT_EQ(std::memcmp(other.logits.data(), outcome.logits.data(), outcome.logits.size() * 4),
                0)
          << "prompt of " << tokens;
    }
  }
}

// What runs no longer waits: its place in the inbox is free.
TEST(Engine, AFullInboxIsBusyUntilSomethingStarts) {
  EngineConfig config{.threads = 1, .max_num_seqs = 1, .max_model_len = 256};
  config.max_queued_requests = 2;
  Running running(config);
  std::vector<Outcome> outcomes(4);
  running.add(greedy(5, kTokens, 1), outcomes[0]);
  running.add(greedy(6, kTokens, 2), outcomes[1]);
  const auto refused = running.engine().submit(greedy(7, kTokens, 3), [](const Update&) {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBusy);
  EXPECT_EQ(running.engine().check_room(3).error().code, Code::kResourceLimit) << "never";
  running.engine().step();
  const sched::RequestId third = running.add(greedy(7, kTokens, 3), outcomes[2]);
  EXPECT_FALSE(running.engine().check_room(1));
  running.engine().cancel(third);
  running.engine().step();
  EXPECT_TRUE(running.engine().check_room(1)) << "who goes away makes room";
  running.add(greedy(8, kTokens, 4), outcomes[3]);
  running.finish();
  for (const size_t i : {0, 1, 3}) EXPECT_EQ(outcomes[i].ids.size(), 14u);
  EXPECT_TRUE(running.engine().check_room(2));
}

TEST(Engine, DrawsTheSameTokensInAnyCompany) {
  const auto request = [](uint64_t seed) {
    return GenerateRequest{
        .prompt = prompt(20, 9), .max_tokens = 30, .sampling = {.temperature = 1.5, .seed = seed}};
  };
  Running alone({.max_num_seqs = 1});
  Outcome expected, other_seed;
  alone.add(request(5), expected);
  alone.add(request(6), other_seed);
  alone.finish();
  EXPECT_EQ(expected.ids.size(), 30u);
  EXPECT_NE(expected.ids, other_seed.ids);
  Running crowded({.prefill_chunk = 3, .max_num_seqs = 8});
  std::vector<Outcome> outcomes(6);
  for (size_t i = 0; i < 6; i++) crowded.add(request(i == 4 ? 5 : 100 + i), outcomes[i]);
  crowded.finish();
  EXPECT_EQ(outcomes[4].ids, expected.ids);
}

TEST(Engine, EndsAtStopIdsAndAtTheLimit) {
  Running running({});
  Outcome limit, stop, one;
  running.add(greedy(10, 20, 1), limit);
  running.finish();
  EXPECT_EQ(limit.finished, FinishReason::kLength);
  ASSERT_EQ(limit.ids.size(), 20u);
  GenerateRequest stopping = greedy(10, 20, 1);
  stopping.stop_ids = {limit.ids[6]};
  running.add(std::move(stopping), stop);
  running.add(greedy(10, 1, 1), one);
  running.finish();
  EXPECT_EQ(stop.finished, FinishReason::kStop);
  const auto first = std::ranges::find(limit.ids, limit.ids[6]) - limit.ids.begin();
  EXPECT_EQ(stop.ids.size(), static_cast<size_t>(first + 1));  // the stop id belongs to the answer
  EXPECT_EQ(one.ids, std::vector<int32_t>{limit.ids[0]});
  EXPECT_EQ(one.logits.size(), 10u * 97);
}

TEST(Engine, CancelsWaitingAndRunningRequests) {
  Running running({.max_num_seqs = 1});
  Outcome first, second, third;
  const auto a = running.add(plain(10, 40, 1), first);
  const auto b = running.add(plain(10, 40, 2), second);
  running.add(plain(10, 4, 3), third);
  for (int i = 0; i < 5; i++) running.engine().step();
  running.engine().cancel(a);
  running.engine().cancel(a);
  running.engine().cancel(b);
  running.finish();
  EXPECT_EQ(first.finished, FinishReason::kCancelled);
  EXPECT_EQ(first.ids.size(), 5u);
  EXPECT_EQ(second.finished, FinishReason::kCancelled);
  EXPECT_TRUE(second.ids.empty());
  EXPECT_EQ(third.finished, FinishReason::kLength);
  EXPECT_EQ(first.endings + second.endings + third.endings, 3);
  running.engine().cancel(a);
  EXPECT_FALSE(running.engine().step());
}

TEST(Engine, GivesBlocksBackToThePool) {
  Running running({.max_num_seqs = 4, .prefix_caching = false});
  std::vector<Outcome> outcomes(10);
  for (size_t i = 0; i < outcomes.size(); i++)
    running.add(greedy(50, 60, static_cast<uint32_t>(i)), outcomes[i]);
  running.finish();
  running.engine().step();
  Outcome last;
  running.add(greedy(1, 1, 1), last);
  running.finish();
  const memory::KvPool& pool = running.engine().worker().kv_pool();
  EXPECT_LE(pool.frames_in_use(0) + pool.frames_in_use(1), 2);
}

TEST(Engine, RefusesBadRequestsWithTheNumbers) {
  Running running({.max_model_len = 100});
  const auto message = [&](GenerateRequest request) {
    const auto id = running.engine().submit(std::move(request), [](const Update&) {});
    return id ? std::string("accepted") : id.error().message();
  };
  EXPECT_NE(message({}).find("empty prompt"), std::string::npos);
  EXPECT_NE(message({.prompt = {1, 97}}).find("ids[1]: got 97, expected a token id from 0 to 96"),
            std::string::npos);
  EXPECT_NE(message({.prompt = {-1}}).find("ids[0]: got -1"), std::string::npos);
  EXPECT_NE(message({.prompt = prompt(90, 1), .max_tokens = 11})
                .find("This model's maximum context length is 100 tokens"),
            std::string::npos);
  EXPECT_NE(message({.prompt = prompt(100, 1)}).find("maximum context length is 100"),
            std::string::npos);
  EXPECT_NE(message({.prompt = {1}, .sampling = {.top_p = 2}}).find("top_p"), std::string::npos);
  EXPECT_NE(message({.prompt = {1}, .n = 129}).find("n: got 129, expected 1 to 128"),
            std::string::npos);
  EXPECT_NE(message({.prompt = {1}, .key = -1}).find("key: got -1"), std::string::npos);
  EXPECT_NE(message({.prompt = {1}, .sampling = {.allowed_token_ids = {97}}})
                .find("allowed_token_ids[0]: got 97, expected a token id from 0 to 96"),
            std::string::npos);
  EXPECT_NE(message({.prompt = {1}, .max_tokens = 5, .sampling = {.min_tokens = 6}})
                .find("min_tokens: got 6, expected 0 to max_tokens (5)"),
            std::string::npos);
  EXPECT_NE(message({.prompt = {1}, .sampling = {.stop = {"x"}}}).find("no tokenizer.json"),
            std::string::npos);
  EXPECT_EQ(message({.prompt = prompt(90, 1), .max_tokens = 10}), "accepted");
  running.finish();
}

TEST(Engine, EndsARequestWhoseLogitsAreNoNumbers) {
  const testing::TestModel broken([](model::testing::TestTensors& tensors) {
    for (float& value : tensors.at("model.norm.weight").values) value = NAN;
  });
  Running running({}, broken);
  Outcome outcome;
  running.add({.prompt = {1, 2, 3}, .n = 3}, outcome);
  running.finish();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, Code::kInvalidData);
  EXPECT_EQ(outcome.endings, 1);
}

// Tokens, texts and logprobs of a request alone and among others, with penalties and stops that
// look back at what was generated.
TEST(Engine, SamplingLooksAtItsOwnSequenceOnly) {
  const auto request = [](uint64_t seed) {
    return GenerateRequest{.prompt = prompt(20, 9),
                           .max_tokens = 30,
                           .sampling = {.temperature = 1.5,
                                        .top_p = 0.9,
                                        .seed = seed,
                                        .repetition_penalty = 1.3,
                                        .presence_penalty = 0.5,
                                        .frequency_penalty = 0.5,
                                        .bad_words = {{5}, {1, 2}},
                                        .logprobs = 3}};
  };
  Running alone({.max_num_seqs = 1});
  Outcome expected;
  alone.add(request(5), expected);
  alone.finish();
  Running crowded({.prefill_chunk = 3, .max_num_seqs = 8});
  std::vector<Outcome> outcomes(6);
  for (size_t i = 0; i < 6; i++) crowded.add(request(i == 4 ? 5 : 100 + i), outcomes[i]);
  crowded.finish();
  EXPECT_EQ(outcomes[4].ids, expected.ids);
  EXPECT_EQ(std::ranges::count(expected.ids, 5), 0);
  ASSERT_EQ(expected.logprobs.size(), 30u);
  EXPECT_EQ(outcomes[4].logprobs, expected.logprobs);
  for (size_t i = 0; i < 30; i++) {
    EXPECT_EQ(expected.logprobs[i].chosen.id, expected.ids[i]);
    EXPECT_EQ(expected.logprobs[i].top.size(), 3u);
  }
}

TEST(Engine, PromptLogprobsAreThoseOfTheLogits) {
  std::vector<sampling::TokenLogprobs> first;
  for (const EngineConfig& config :
       {EngineConfig{.max_num_seqs = 1}, EngineConfig{.prefill_chunk = 7, .max_num_seqs = 4},
        EngineConfig{.threads = 2, .max_num_seqs = 4, .all_logits = true}}) {
    Running running(config);
    GenerateRequest request = greedy(41, 2, 3);
    request.sampling.prompt_logprobs = 2;
    const std::vector<int32_t> ids = request.prompt;
    std::vector<sampling::TokenLogprobs> got(40);
    request.on_prompt_logprobs = [&](int64_t position, const sampling::TokenLogprobs& of) {
      got.at(static_cast<size_t>(position - 1)) = of;
    };
    Outcome outcome;
    running.add(std::move(request), outcome);
    running.finish();
    ASSERT_EQ(outcome.logits.size(), 42u * 97);
    sampling::SamplerScratch scratch(running.engine().worker().kernel_table().logits);
    for (size_t i = 0; i < 40; i++) {
      const std::span<const float> row(outcome.logits.data() + i * 97, 97);
      EXPECT_EQ(got[i], sampling::logprobs_of(row, ids[i + 1], 2, scratch)) << i;
    }
    if (first.empty()) first = got;
    EXPECT_EQ(got, first);
  }
}

TEST(Engine, KeepsStopsOffUntilMinTokens) {
  Running running({});
  Outcome free, held;
  running.add(plain(10, 20, 1), free);
  running.finish();
  GenerateRequest request = plain(10, 20, 1);
  request.stop_ids = {free.ids[0], -1, 97};  // what no vocabulary has stops nothing
  request.sampling.min_tokens = 4;
  running.add(std::move(request), held);
  running.finish();
  ASSERT_GE(held.ids.size(), 5u);
  for (size_t i = 0; i < 4; i++) EXPECT_NE(held.ids[i], free.ids[0]);
}

TEST(Engine, EndsARequestThatBansEverythingAndNoOther) {
  Running running({});
  Outcome banned, good;
  GenerateRequest request = plain(10, 5, 1);
  request.sampling.allowed_token_ids = {3};
  request.sampling.bad_words = {{3}};
  running.add(std::move(request), banned);
  running.add(plain(10, 5, 2), good);
  running.finish();
  ASSERT_TRUE(banned.error);
  EXPECT_EQ(banned.error->code, Code::kInvalidArgument);
  EXPECT_NE(banned.error->message().find("no token is left"), std::string::npos);
  EXPECT_EQ(banned.endings, 1);
  EXPECT_EQ(good.ids.size(), 5u);
  EXPECT_EQ(good.finished, FinishReason::kLength);
}

// A second sequence
// takes over the first block of another one by a copy and computes only what follows.
TEST(Worker, CarriesOutBlockCopiesBeforeTheRows) {
  const auto opened = Running::shared_model().open();
  auto resolved = resolve({.max_num_seqs = 2}, small_machine(), opened->spec(), opened->plan());
  ASSERT_TRUE(resolved);
  auto worker = Worker::create(real_env(), *opened, *resolved, {.threads = 1, .progress = {}});
  ASSERT_TRUE(worker);
  const std::vector<int32_t> ids = prompt(33, 4);
  for (const int64_t request : {1, 2}) {
    (*worker)->add(static_cast<sched::RequestId>(request), {.prompt = ids,
                                                            .max_tokens = 2,
                                                            .sampling = {.temperature = 0},
                                                            .stop_ids = {},
                                                            .on_logits = {},
                                                            .chain = {}});
  }
  // Frames of the two groups lie in different slabs.
  const int64_t per_slab = resolved->slab_plan.frames_per_slab[0];
  const int64_t other = resolved->slab_plan.frames_per_slab[1];
  ASSERT_GE(per_slab, 4);
  const auto place = [](int group, int64_t block, int64_t frame) {
    return sched::BlockPlace{group, static_cast<sched::BlockId>(block), frame};
  };
  sched::StepPlan plan{.id = static_cast<sched::PlanId>(1)};
  plan.admitted = {{static_cast<sched::RequestId>(1), static_cast<sched::SequenceId>(1)}};
  plan.allocated = {place(0, 0, 0), place(0, 1, 1), place(1, 2, other), place(1, 3, other + 1)};
  plan.sequences = {{.sequence = static_cast<sched::SequenceId>(1),
                     .rows = 33,
                     .yields_token = true,
                     .frames = {{0, 1}, {other, other + 1}}}};
  StepClock clock(real_env());
  const StepOutput first = (*worker)->execute(plan, clock);
  plan.id = static_cast<sched::PlanId>(2);
  plan.admitted = {{static_cast<sched::RequestId>(2), static_cast<sched::SequenceId>(2)}};
  plan.allocated = {place(0, 4, 2), place(0, 5, 3), place(1, 6, other + 2), place(1, 7, other + 3)};
  plan.copies = {{0, 0, 2}, {1, other, other + 2}};
  plan.sequences = {{.sequence = static_cast<sched::SequenceId>(2),
                     .first_position = 32,
                     .rows = 1,
                     .yields_token = true,
                     .frames = {{2, 3}, {other + 2, other + 3}}}};
  const StepOutput second = (*worker)->execute(plan, clock);
  ASSERT_EQ(first.result.sequences.size(), 1u);
  ASSERT_EQ(second.result.sequences.size(), 1u);
  EXPECT_EQ(first.result.sequences[0].tokens, second.result.sequences[0].tokens);
}

}  // namespace
}  // namespace strata::engine
