// Speculation changes nothing: ids, texts, logprobs, logits and endings of every request are those
// without it, whatever limits, company and memory it meets. And it does guess right.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "engine/test_running.h"
#include "text/tokenizer.h"

namespace strata::engine {
namespace {

using testing::prompt;
using testing::TestModel;

struct Answer {
  std::vector<int32_t> ids;
  std::vector<sampling::TokenLogprobs> logprobs;
  std::string text;
  std::optional<std::string> stop;
  std::optional<sched::FinishReason> finished;
  std::string error;
  bool operator==(const Answer&) const = default;
};

// Of one request: all its answers, and the first one's logits.
struct Answers {
  std::vector<Answer> choices;
  std::map<int64_t, std::vector<float>> logits;  // by position
};

void listen(const Update& update, Answers& answers) {
  if (update.error) {
    answers.choices[0].error = update.error->message();
    return;
  }
  Answer& answer = answers.choices.at(static_cast<size_t>(update.choice));
  EXPECT_FALSE(answer.finished) << "an update after the end";
  if (update.token) answer.ids.push_back(*update.token);
  if (update.logprobs) answer.logprobs.push_back(*update.logprobs);
  answer.text += update.text;
  answer.stop = update.stop;
  answer.finished = update.finished;
}

class Speculation {
 public:
  // One thread where the test does not say: others may have the machine's cores.
  Speculation(const OpenedModel& opened, EngineConfig config) : vocab_(opened.spec().vocab) {
    config.threads = config.threads.value_or(1);
    auto resolved =
        resolve(config, testing::small_machine(), opened.spec(), opened.plan(), opened.draft());
    EXPECT_TRUE(resolved) << resolved.error().message();
    auto engine = Engine::create(real_env(), opened, *resolved, {.threads = 1, .progress = {}});
    EXPECT_TRUE(engine) << engine.error().message();
    engine_ = std::move(*engine);
  }

  std::vector<Answers> run(const std::vector<GenerateRequest>& requests) {
    std::vector<Answers> all(requests.size());
    for (size_t i = 0; i < requests.size(); i++) {
      GenerateRequest request = requests[i];
      Answers& answers = all[i];
      answers.choices.resize(static_cast<size_t>(request.n));
      request.on_logits = [this, &answers](int64_t first, std::span<const float> rows) {
        for (size_t row = 0; row * vocab_ < rows.size(); row++) {
          const auto values = rows.subspan(row * vocab_, vocab_);
          const auto at = first + static_cast<int64_t>(row);
          const bool fresh = answers.logits.try_emplace(at, values.begin(), values.end()).second;
          EXPECT_TRUE(fresh) << "logits of a position twice";
        }
      };
      const auto id = engine_->submit(
          std::move(request), [&answers](const Update& update) { listen(update, answers); });
      EXPECT_TRUE(id) << id.error().message();
    }
    for (int step = 0; engine_->step(); step++) {
      EXPECT_LT(step, 20000) << "some request never ends";
      if (step == 20000) break;
    }
    engine_->step();  // takes the last results in
    return all;
  }
  const Engine& engine() const { return *engine_; }
  sched::SchedulerStats stats() const { return engine_->stats().scheduler; }

 private:
  size_t vocab_;
  std::unique_ptr<Engine> engine_;
};

void expect_same(const std::vector<Answers>& got, const std::vector<Answers>& expected,
                 const std::string& what) {
  for (size_t i = 0; i < expected.size(); i++) {
    const std::string where = what + ", request " + std::to_string(i);
    for (size_t choice = 0; choice < expected[i].choices.size(); choice++) {
      const Answer& a = got[i].choices[choice];
      const Answer& b = expected[i].choices[choice];
      EXPECT_EQ(a.ids, b.ids) << where;
      EXPECT_EQ(a.text, b.text) << where;
      EXPECT_TRUE(a == b) << where;
    }
    EXPECT_TRUE(got[i].logits == expected[i].logits) << where;
  }
}

std::vector<int32_t> repeated(int64_t tokens, int64_t period, uint32_t seed) {
  const std::vector<int32_t> once = prompt(period, seed);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tokens; i++) ids.push_back(once[static_cast<size_t>(i % period)]);
  return ids;
}

// Every temperature, limit and kind of end. Few allowed ids make guesses right also where tokens
// are drawn.
std::vector<GenerateRequest> mixed_requests() {
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 16; i++) {
    constexpr double kTemperatures[] = {0, 0.7, 1.5};
    GenerateRequest request{.prompt = repeated(3 + i * 5, 1 + i % 7, i),
                            .max_tokens = i < 4 ? i + 1 : 40 + i,
                            .sampling = {.temperature = kTemperatures[i % 3], .seed = i}};
    if (i % 4 == 1) {
      request.sampling.repetition_penalty = 1.2;
      request.sampling.frequency_penalty = 0.3;
      request.sampling.presence_penalty = -0.5;
    }
    if (i % 3 != 0) request.sampling.allowed_token_ids = {3, 5, 8, 60};
    if (i % 5 == 4) request.stop_ids = {3, 17, 44};
    if (i % 5 == 4) request.sampling.min_tokens = 6;
    if (i % 2 == 0) request.sampling.logprobs = 2;
    if (i % 6 == 5) request.n = 3;
    request.all_logits = i % 7 == 3;
    requests.push_back(std::move(request));
  }
  return requests;
}

EngineConfig guessing(EngineConfig config, int64_t tokens = 4) {
  config.speculation = {.method = "ngram", .tokens = tokens, .lookup = {.max = 3, .min = 1}};
  return config;
}

// The model has a window of 40 tokens on two of its layers: two KV groups.
TEST(Speculation, ChangesNothingInAnyCompany) {
  const auto opened = testing::Running::shared_model().open();
  const std::vector<GenerateRequest> requests = mixed_requests();
  Speculation plain(*opened, {.threads = 1, .max_num_seqs = 4});
  const std::vector<Answers> expected = plain.run(requests);
  EXPECT_EQ(plain.stats().drafts, 0);
  for (const EngineConfig& config :
       {guessing({.threads = 1, .max_num_seqs = 1}), guessing({.threads = 2, .max_num_seqs = 16}),
        guessing({.max_num_seqs = 16}, 1), guessing({.max_num_seqs = 8, .all_logits = true}, 20),
        guessing({.prefill_chunk = 3, .max_num_seqs = 3}),
        guessing({.max_num_seqs = 5, .max_num_batched_tokens = 7}),
        guessing({.max_num_seqs = 8, .prefix_caching = false})}) {
    Speculation speculating(*opened, config);
    expect_same(speculating.run(requests), expected,
                std::to_string(*config.max_num_seqs) + " sequences");
    EXPECT_GT(speculating.stats().accepted_drafts, 20);
    EXPECT_LT(speculating.stats().accepted_drafts, speculating.stats().drafts);
  }
}

// 256 blocks of each group for 56 sequences that grow to 8 each: many give way between guesses.
TEST(Speculation, ChangesNothingUnderPreemption) {
  const auto opened = testing::Running::shared_model().open();
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 56; i++) {
    requests.push_back({.prompt = repeated(20 + i % 13, 5, i),
                        .max_tokens = 256 - 20 - i % 13,
                        .sampling = {.temperature = i % 2 == 0 ? 0 : 0.8, .seed = i}});
    requests.back().all_logits = i % 4 == 0;
    if (i % 2 == 1) requests.back().sampling.allowed_token_ids = {3, 5, 8};
  }
  Speculation plain(*opened, {.max_num_seqs = 64});
  const std::vector<Answers> expected = plain.run(requests);
  for (const bool caching : {true, false}) {
    Speculation tight(
        *opened,
        guessing({.threads = 2, .max_num_seqs = 64, .kv_blocks = 8, .prefix_caching = caching}));
    expect_same(tight.run(requests), expected, caching ? "with a cache" : "without a cache");
    EXPECT_GE(tight.stats().preemptions, 5);
    EXPECT_GT(tight.stats().accepted_drafts, 1000);
  }
}

// A guess whose own row leaves no token to choose from: the tokens before it are given out first.
TEST(Speculation, EndsWithTheSameErrorAfterTheSameTokens) {
  const auto opened = testing::Running::shared_model().open();
  GenerateRequest request{.prompt = {7, 9, 7, 9, 7}, .max_tokens = 20};
  request.sampling = {.temperature = 0, .logit_bias = {{7, 50}}, .allowed_token_ids = {7, 9}};
  request.sampling.bad_words = {{7, 9, 7, 9}, {9, 7, 9}, {9, 7, 7}, {7, 7}, {9, 9}};
  const std::vector<GenerateRequest> requests = {request};
  const std::vector<Answers> expected = Speculation(*opened, {.max_num_seqs = 1}).run(requests);
  EXPECT_NE(expected[0].choices[0].error.find("no token is left"), std::string::npos);
  EXPECT_EQ(expected[0].choices[0].ids, (std::vector<int32_t>{7, 9, 7}));
  EXPECT_EQ(expected[0].logits.size(), 4u);  // the row that nothing could be chosen from, too
  Speculation speculating(*opened, guessing({.max_num_seqs = 1}));
  expect_same(speculating.run(requests), expected, "error");
  EXPECT_GT(speculating.stats().accepted_drafts, 0);
}

EngineConfig asking(EngineConfig config, const TestModel& draft, int64_t tokens = 3) {
  config.speculation = {.method = draft.path(), .tokens = tokens};
  return config;
}

// Weights that agree with the shared model's here and there.
void disturb(model::testing::TestTensors& tensors) {
  for (auto& [name, tensor] : tensors) {
    if (name.find("mlp.down_proj") == std::string::npos) continue;
    for (float& value : tensor.values) value *= 0.5F;
  }
}

TEST(Speculation, ChangesNothingWithAnotherModelsGuesses) {
  const TestModel other(disturb);
  const std::vector<GenerateRequest> requests = mixed_requests();
  const auto opened = testing::Running::shared_model().open();
  const std::vector<Answers> expected =
      Speculation(*opened, {.threads = 1, .max_num_seqs = 4}).run(requests);
  ASSERT_TRUE(opened->open_draft(real_env(), other.path()));
  for (const EngineConfig& config :
       {asking({.threads = 1, .max_num_seqs = 1}, other),
        asking({.threads = 2, .max_num_seqs = 16}, other, 9),
        asking({.max_num_seqs = 5, .max_num_batched_tokens = 7, .all_logits = true}, other)}) {
    Speculation speculating(*opened, config);
    expect_same(speculating.run(requests), expected, std::to_string(*config.max_num_seqs));
    EXPECT_GT(speculating.stats().accepted_drafts, 30);
    EXPECT_LT(speculating.stats().accepted_drafts, speculating.stats().drafts);
  }
}

// A model that guesses for itself draws what it is going to draw, at every temperature: whatever it
// has in its cache is right, also after a preemption and where guesses got no rows.
TEST(Speculation, OwnDrawsAreAlwaysRight) {
  const TestModel& self = testing::Running::shared_model();
  const auto opened = self.open();
  ASSERT_TRUE(opened->open_draft(real_env(), self.path()));
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 56; i++) {
    requests.push_back({.prompt = prompt(20 + i % 13, i),
                        .max_tokens = 256 - 20 - i % 13,
                        .sampling = {.temperature = 0.5 * (i % 3), .seed = i},
                        .n = i % 10 == 0 ? 2 : 1});
  }
  Speculation plain(*opened, {.max_num_seqs = 64});
  const std::vector<Answers> expected = plain.run(requests);
  int64_t preemptions = 0;
  for (const int64_t rows : {64, 256}) {
    Speculation tight(*opened, asking({.prefill_chunk = 32,
                                       .max_num_seqs = 64,
                                       .max_num_batched_tokens = rows,
                                       .kv_blocks = 8},
                                      self));
    expect_same(tight.run(requests), expected, std::to_string(rows));
    EXPECT_GT(tight.stats().drafts, 3000);
    EXPECT_EQ(tight.stats().accepted_drafts, tight.stats().drafts);
    preemptions += tight.stats().preemptions;
  }
  EXPECT_GE(preemptions, 5);
}

TEST(Speculation, CountsTheMemoryOfTheModelThatGuesses) {
  const TestModel& self = testing::Running::shared_model();
  const auto opened = self.open();
  const auto bytes = [&](const EngineConfig& config, memory::MemoryTag tag) {
    return Speculation(*opened, config).engine().worker().account().bytes(tag);
  };
  using enum memory::MemoryTag;
  const EngineConfig plain{.max_num_seqs = 64}, with = asking(plain, self);
  const int64_t weights = bytes(plain, kWeights), kv = bytes(plain, kKv);
  const int64_t logits = bytes(plain, kLogits);
  ASSERT_TRUE(opened->open_draft(real_env(), self.path()));
  EXPECT_EQ(bytes(with, kWeights), 2 * weights);
  EXPECT_EQ(bytes(with, kKv), 2 * kv);
  EXPECT_EQ(bytes(with, kLogits), 4 * logits + logits);  // rows of guesses, and its own
}

TEST(Speculation, RefusesAModelOfAnotherVocabulary) {
  const char* source = std::getenv("STRATA_SOURCE_DIR");
  ASSERT_NE(source, nullptr) << "STRATA_SOURCE_DIR is not set: run through ctest";
  const auto opened = testing::Running::shared_model().open();
  const auto refused = opened->open_draft(real_env(), std::string(source) + "/models/pebble");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("expected the 97 of the model it guesses for"),
            std::string::npos)
      << refused.error().message();
  EXPECT_EQ(opened->draft(), nullptr);
}

TEST(Speculation, RefusesFlagsThatContradictEachOther) {
  const auto message = [](const std::vector<std::pair<const char*, const char*>>& flags) {
    FieldValues values({engine_fields()});
    for (const auto& [name, text] : flags) EXPECT_TRUE(values.set(name, text));
    const auto config = make_engine_config(values);
    return config ? std::string("accepted") : config.error().message();
  };
  EXPECT_EQ(message({}), "accepted");
  EXPECT_EQ(message({{"speculative", "ngram"}, {"prompt-lookup-max", "2"}}), "accepted");
  EXPECT_NE(message({{"speculative", "ngram"}, {"prompt-lookup-max", "1"}})
                .find("--prompt-lookup-min: got 2, expected at most --prompt-lookup-max 1"),
            std::string::npos);
  EXPECT_NE(message({{"speculative-tokens", "2"}})
                .find("--speculative-tokens: got --speculative none, expected --speculative ngram"),
            std::string::npos);
  EXPECT_NE(message({{"speculative", "some/model"}, {"prompt-lookup-min", "2"}})
                .find("--prompt-lookup-min: got --speculative some/model"),
            std::string::npos);
}

// The model that comes with the repository: stop strings, texts, answers that share a prompt.
TEST(Speculation, ChangesNoTextOfPebble) {
  const char* source = std::getenv("STRATA_SOURCE_DIR");
  ASSERT_NE(source, nullptr) << "STRATA_SOURCE_DIR is not set: run through ctest";
  const auto opened = OpenedModel::open(real_env(), std::string(source) + "/models/pebble", "",
                                        model::WeightDtype::kAuto);
  ASSERT_TRUE(opened) << opened.error().message();
  const auto tokenizer = text::Tokenizer::from_json(*(*opened)->documents().tokenizer);
  ASSERT_TRUE(tokenizer);
  std::vector<GenerateRequest> requests;
  for (const double temperature : {0.0, 0.7, 1.5}) {
    for (uint64_t i = 0; i < 5; i++) {
      std::string text = "The cat sat on the mat. The cat sat on the mat. The cat";
      if (i % 2 == 1) text = "1, 2, 3, 4, 1, 2, 3, 4, 1, 2,";
      GenerateRequest request{.prompt = *tokenizer->encode(text), .max_tokens = 60};
      request.sampling = {.temperature = temperature, .top_p = 0.95, .seed = i, .logprobs = 1};
      if (i > 1) request.sampling.stop = {"e c", " 4,", "mat. T"};
      request.sampling.include_stop = i == 3;
      request.n = i == 4 ? 3 : 1;
      request.detokenizer.emplace(*tokenizer);
      requests.push_back(std::move(request));
    }
  }
  const EngineConfig config{.max_num_seqs = 6, .max_model_len = 256};
  const std::vector<Answers> expected = Speculation(**opened, config).run(requests);
  Speculation speculating(**opened, guessing(config));
  expect_same(speculating.run(requests), expected, "pebble");
  EXPECT_GT(speculating.stats().accepted_drafts, 50);
  int stops = 0;
  for (const Answers& answers : expected) stops += answers.choices[0].stop.has_value() ? 1 : 0;
  EXPECT_GT(stops, 0);
}

}  // namespace
}  // namespace strata::engine
