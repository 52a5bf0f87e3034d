// Requests through a whole engine on the tiny model, and what came of each. For the engine's tests.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/test_model.h"

namespace strata::engine::testing {

struct Outcome {
  std::vector<int32_t> ids;
  std::vector<float> logits;  // of all rows, where asked for
  std::vector<sampling::TokenLogprobs> logprobs;
  std::optional<sched::FinishReason> finished;
  std::optional<Status> error;
  int endings = 0;
  bool wants_logits = true;
};

inline MachineFacts small_machine() {
  MachineFacts facts = look_at_machine(real_env());
  facts.available_bytes = 256 << 20;
  return facts;
}

class Running {
 public:
  explicit Running(const EngineConfig& config, const TestModel& model = shared_model())
      : opened_(model.open(config.dtype)) {
    auto resolved = resolve(config, small_machine(), opened_->spec(), opened_->plan());
    EXPECT_TRUE(resolved) << resolved.error().message();
    auto engine = Engine::create(real_env(), *opened_, *resolved, {.threads = 1, .progress = {}});
    EXPECT_TRUE(engine) << engine.error().message();
    engine_ = std::move(*engine);
  }

  static const TestModel& shared_model() {
    static const TestModel kModel;
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

inline std::vector<int32_t> prompt(int64_t tokens, uint32_t seed) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tokens; i++) {
    seed = seed * 1664525 + 1013904223;
    ids.push_back(static_cast<int32_t>((seed >> 16) % 97));
  }
  return ids;
}

inline GenerateRequest greedy(int64_t prompt_tokens, int64_t max_tokens, uint32_t seed) {
  return {.prompt = prompt(prompt_tokens, seed),
          .max_tokens = max_tokens,
          .sampling = {.temperature = 0},
          .all_logits = true};
}

inline GenerateRequest plain(int64_t prompt_tokens, int64_t max_tokens, uint32_t seed) {
  GenerateRequest request = greedy(prompt_tokens, max_tokens, seed);
  request.all_logits = false;
  return request;
}

inline void expect_same(const Outcome& got, const Outcome& expected, const std::string& what) {
  EXPECT_EQ(got.ids, expected.ids) << what;
  EXPECT_EQ(got.endings, 1) << what;
  ASSERT_EQ(got.logits.size(), expected.logits.size()) << what;
  EXPECT_EQ(std::memcmp(got.logits.data(), expected.logits.data(), got.logits.size() * 4), 0)
      << what;
}

// What each request gives by itself, without a cache.
inline std::vector<Outcome> each_alone(const std::vector<GenerateRequest>& requests) {
  Running alone({.threads = 1, .max_num_seqs = 1, .prefix_caching = false});
  std::vector<Outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); i++) {
    alone.add(requests[i], outcomes[i]);
    alone.finish();
  }
  return outcomes;
}

inline GenerateRequest warm(std::vector<int32_t> ids, int64_t max_tokens, uint64_t seed) {
  return {.prompt = std::move(ids),
          .max_tokens = max_tokens,
          .sampling = {.temperature = 1.3, .seed = seed}};
}

}  // namespace strata::engine::testing
