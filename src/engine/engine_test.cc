// The whole step loop on a tiny model with two KV groups: results do not depend on what runs beside
// a request, every request ends, and every way to end is told apart.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "engine/test_model.h"

namespace strata::engine {
namespace {

using sched::FinishReason;

struct Outcome {
  std::vector<int32_t> ids;
  std::vector<float> logits;  // of all rows, where asked for
  std::vector<sampling::TokenLogprobs> logprobs;
  std::optional<FinishReason> finished;
  std::optional<Status> error;
  int endings = 0;
  bool wants_logits = true;
};

MachineFacts small_machine() {
  MachineFacts facts = look_at_machine(real_env());
  facts.available_bytes = 256 << 20;
  return facts;
}

class Running {
 public:
  explicit Running(const EngineConfig& config, const testing::TestModel& model = shared_model())
      : opened_(model.open(config.dtype)) {
    auto resolved = resolve(config, small_machine(), opened_->spec(), opened_->plan());
    EXPECT_TRUE(resolved) << resolved.error().message();
    auto engine = Engine::create(real_env(), *opened_, *resolved, {.threads = 1, .progress = {}});
    EXPECT_TRUE(engine) << engine.error().message();
    engine_ = std::move(*engine);
  }

  static const testing::TestModel& shared_model() {
    static const testing::TestModel kModel;
    return kModel;
  }

  Engine& engine() { return *engine_; }

  sched::RequestId add(GenerateRequest request, Outcome& outcome) {
    if (outcome.wants_logits) {
      request.on_logits = [&outcome](int64_t, std::span<const float> rows) {
        outcome.logits.insert(outcome.logits.end(), rows.begin(), rows.end());
      };
    }
    auto id = engine_->submit(std::move(request), [&outcome](const Update& update) {
      if (update.token) outcome.ids.push_back(*update.token);
      if (update.logprobs) outcome.logprobs.push_back(*update.logprobs);
      outcome.endings += (update.finished || update.error) ? 1 : 0;
      if (update.finished) outcome.finished = update.finished;
      if (update.error) outcome.error = update.error;
    });
    EXPECT_TRUE(id) << id.error().message();
    return id.value_or(sched::RequestId{});
  }
  void finish() {
    for (int step = 0; engine_->step(); step++) ASSERT_LT(step, 5000) << "some request never ends";
  }

 private:
  std::unique_ptr<OpenedModel> opened_;
  std::unique_ptr<Engine> engine_;
};

std::vector<int32_t> prompt(int64_t tokens, uint32_t seed) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tokens; i++) {
    seed = seed * 1664525 + 1013904223;
    ids.push_back(static_cast<int32_t>((seed >> 16) % 97));
  }
  return ids;
}

GenerateRequest greedy(int64_t prompt_tokens, int64_t max_tokens, uint32_t seed) {
  return {.prompt = prompt(prompt_tokens, seed),
          .max_tokens = max_tokens,
          .sampling = {.temperature = 0},
          .all_logits = true};
}

GenerateRequest plain(int64_t prompt_tokens, int64_t max_tokens, uint32_t seed) {
  GenerateRequest request = greedy(prompt_tokens, max_tokens, seed);
  request.all_logits = false;
  return request;
}

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

void expect_same(const Outcome& got, const Outcome& expected, const std::string& what) {
  EXPECT_EQ(got.ids, expected.ids) << what;
  EXPECT_EQ(got.endings, 1) << what;
  ASSERT_EQ(got.logits.size(), expected.logits.size()) << what;
  EXPECT_EQ(std::memcmp(got.logits.data(), expected.logits.data(), got.logits.size() * 4), 0)
      << what;
}

// What each request gives by itself, without a cache.
std::vector<Outcome> each_alone(const std::vector<GenerateRequest>& requests) {
  Running alone({.threads = 1, .max_num_seqs = 1, .prefix_caching = false});
  std::vector<Outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); i++) {
    alone.add(requests[i], outcomes[i]);
    alone.finish();
  }
  return outcomes;
}

GenerateRequest warm(std::vector<int32_t> ids, int64_t max_tokens, uint64_t seed) {
  return {.prompt = std::move(ids),
          .max_tokens = max_tokens,
          .sampling = {.temperature = 1.3, .seed = seed}};
}

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
  EXPECT_EQ(cached.engine().stats().cached_tokens, shared);
}

TEST(Engine, SharesAmongRequestsThatComeTogetherAndWithAnswers) {
  const std::vector<int32_t> ids = prompt(70, 5);
  Running running({.max_num_seqs = 8});
  std::vector<Outcome> outcomes(8);
  for (Outcome& outcome : outcomes) running.add(warm(ids, 40, 9), outcome);
  running.finish();
  EXPECT_EQ(running.engine().stats().cached_tokens, 7 * 64);
  for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.ids, outcomes[0].ids);
  // The next turn of a conversation: 110 tokens of it are prompt and answer, 96 in full blocks.
  std::vector<int32_t> turn = ids;
  turn.insert(turn.end(), outcomes[0].ids.begin(), outcomes[0].ids.end());
  turn.push_back(1);
  const std::vector<GenerateRequest> next = {warm(turn, 5, 2)};
  Outcome second;
  running.add(next[0], second);
  running.finish();
  EXPECT_EQ(running.engine().stats().cached_tokens, 7 * 64 + 96);
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
    EXPECT_EQ(running.engine().stats().cached_tokens, 0);
    EXPECT_EQ(outcomes[0].ids, outcomes[1].ids);
  }
}

// A pool of 128 blocks for 40 sequences of up to 8: many give way, some again and again, and start
// over behind what they had generated. Logits of every row still come once.
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
    EXPECT_GE(crowded.engine().stats().preemptions, 5);
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
    EXPECT_GE(running.engine().stats().forks, 2);
    EXPECT_GE(running.engine().stats().block_copies, 2);
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
  EXPECT_EQ(outcome.finished, FinishReason::kCancelled);
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
  auto worker = Worker::create(*opened, *resolved, {.threads = 1, .progress = {}});
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
  const StepOutput first = (*worker)->execute(plan);
  plan.id = static_cast<sched::PlanId>(2);
  plan.admitted = {{static_cast<sched::RequestId>(2), static_cast<sched::SequenceId>(2)}};
  plan.allocated = {place(0, 4, 2), place(0, 5, 3), place(1, 6, other + 2), place(1, 7, other + 3)};
  plan.copies = {{0, 0, 2}, {1, other, other + 2}};
  plan.sequences = {{.sequence = static_cast<sched::SequenceId>(2),
                     .first_position = 32,
                     .rows = 1,
                     .yields_token = true,
                     .frames = {{2, 3}, {other + 2, other + 3}}}};
  const StepOutput second = (*worker)->execute(plan);
  ASSERT_EQ(first.result.sequences.size(), 1u);
  ASSERT_EQ(second.result.sequences.size(), 1u);
  EXPECT_EQ(first.result.sequences[0].tokens, second.result.sequences[0].tokens);
}

}  // namespace
}  // namespace strata::engine
