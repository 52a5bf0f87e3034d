// A ceiling that is lowered under running requests: what is decided, and that answers keep their
// bits while weights leave memory and the KV pool shrinks.
#include "engine/lower_ceiling.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/fault_env.h"
#include "base/json.h"
#include "engine/test_running.h"
#include "engine/test_streaming.h"
#include "engine/weight_demand.h"

namespace strata::engine {
namespace {

using testing::Outcome;
using testing::Running;

std::vector<GenerateRequest> some_requests() {
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 5; i++) {
    requests.push_back(testing::greedy(40 + 13 * static_cast<int64_t>(i), 30, 100 + i));
  }
  return requests;
}

int64_t pool_bytes(const Engine& engine) {
  return engine.worker().account().bytes(memory::MemoryTag::kKv);
}

// The tiny model with slabs of three blocks, so that its pool has many; a slab for each group is
// the least.
class SmallSlabs {
 public:
  explicit SmallSlabs(const EngineConfig& config) : opened_(Running::shared_model().open()) {
    auto resolved = resolve(config, testing::small_machine(), opened_->spec(), opened_->plan());
    EXPECT_TRUE(resolved);
    for (int64_t& frames : resolved->slab_plan.frames_per_slab) frames = 3;
    resolved->slabs = 12;
    resolved->memory_bytes = resolved->fixed_bytes + resolved->placement.bytes() +
                             resolved->slabs * resolved->slab_plan.slab_bytes;
    engine =
        std::move(*Engine::create(real_env(), *opened_, *resolved, {.threads = 1, .progress = {}}));
  }
  void add(GenerateRequest request, Outcome& outcome) {
    if (outcome.wants_logits) {
      request.on_logits = [&outcome](int64_t, std::span<const float> rows) {
        outcome.logits.insert(outcome.logits.end(), rows.begin(), rows.end());
      };
    }
    ASSERT_TRUE(engine->submit(std::move(request), [&outcome](const Update& update) {
      if (update.token) outcome.ids.push_back(*update.token);
      outcome.endings += (update.finished || update.error) ? 1 : 0;
      if (update.finished) outcome.finished = update.finished;
      if (update.error) outcome.error = update.error;
    }));
  }
  void finish() {
    for (int step = 0; engine->step(); step++) ASSERT_LT(step, 5000) << "some request never ends";
  }

 private:
  std::unique_ptr<OpenedModel> opened_;

 public:
  std::unique_ptr<Engine> engine;  // it refers to the model
};

// What the engine keeps whatever is lowered, with `slabs` slabs of KV.
int64_t least(const Engine& engine, int64_t slabs) {
  const ResolvedConfig& config = engine.config();
  return config.fixed_bytes + config.placement.bytes() + slabs * config.slab_plan.slab_bytes;
}

TEST(LowerCeiling, AnswersKeepTheirBitsWhileThePoolShrinks) {
  const std::vector<GenerateRequest> requests = some_requests();
  const std::vector<Outcome> expected = testing::each_alone(requests);
  SmallSlabs running({.threads = 2, .prefill_chunk = 24, .max_num_seqs = 5});
  Engine& engine = *running.engine;
  std::vector<Outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); i++) running.add(requests[i], outcomes[i]);
  for (int step = 0; step < 20; step++) engine.step();
  EXPECT_EQ(engine.stats().scheduler.preemptions, 0);
  const auto lowered = engine.lower_ceiling(least(engine, 4));
  ASSERT_TRUE(lowered) << lowered.error().message();
  EXPECT_FALSE(lowered->moves_weights);
  EXPECT_EQ(lowered->slabs, 4);
  running.finish();
  EXPECT_GT(engine.stats().scheduler.preemptions, 0);
  EXPECT_EQ(pool_bytes(engine), 4 * engine.config().slab_plan.slab_bytes);
  for (size_t i = 0; i < requests.size(); i++) {
    testing::expect_same(outcomes[i], expected[i], "request " + std::to_string(i));
  }
}

TEST(LowerCeiling, AnswersKeepTheirBitsWhileWeightsGoToTheDisk) {
  const std::vector<GenerateRequest> requests = some_requests();
  const std::vector<Outcome> expected = testing::each_alone(requests);
  Running running({.threads = 2, .prefill_chunk = 24, .max_num_seqs = 5});
  Engine& engine = running.engine();
  EXPECT_EQ(engine.worker().ring(), nullptr);
  const int64_t weights = engine.worker().account().bytes(memory::MemoryTag::kWeights);
  std::vector<Outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); i++) running.add(requests[i], outcomes[i]);
  for (int step = 0; step < 20; step++) engine.step();
  // The embedding's table first, then the rest.
  placement::PlacementPlan plan = engine.config().placement;
  plan.resident.front() = false;
  plan.gather_bytes = 1;
  ASSERT_TRUE(engine.worker().place_weights(plan));
  EXPECT_EQ(engine.worker().ring(), nullptr);
  const int64_t but_table = engine.worker().account().bytes(memory::MemoryTag::kWeights);
  EXPECT_LT(but_table, weights);
  for (int step = 0; step < 5; step++) engine.step();
  plan.resident.assign(plan.resident.size(), false);
  plan.ring_bytes = 4 << 20;
  plan.streamed_bytes = 1;
  ASSERT_TRUE(engine.worker().place_weights(plan));
  ASSERT_NE(engine.worker().ring(), nullptr);
  EXPECT_LT(engine.worker().account().bytes(memory::MemoryTag::kWeights), but_table);
  running.finish();
  for (size_t i = 0; i < requests.size(); i++) {
    testing::expect_same(outcomes[i], expected[i], "request " + std::to_string(i));
  }
}

TEST(LowerCeiling, WeightsThatCannotBeReadAgainEndEveryRequest) {
  FaultEnv counting(real_env());
  const auto opened = Running::shared_model().open();
  auto config = resolve({.threads = 1}, testing::small_machine(), opened->spec(), opened->plan());
  ASSERT_TRUE(config);
  {
    ASSERT_TRUE(Engine::create(counting, *opened, *config, {.threads = 1, .progress = {}}));
  }
  FaultEnv env(real_env(), {.fail_call = counting.calls(), .for_ever = true});
  auto engine = Engine::create(env, *opened, *config, {.threads = 1, .progress = {}});
  ASSERT_TRUE(engine) << engine.error().message();
  std::vector<Outcome> outcomes(2);
  const auto ask = [&](Outcome& outcome) {
    const auto id = (*engine)->submit(testing::plain(20, 8, 1), [&](const Update& update) {
      if (update.error) outcome.error = update.error;
      outcome.endings += (update.finished || update.error) ? 1 : 0;
    });
    ASSERT_TRUE(id);
  };
  ask(outcomes[0]);
  (*engine)->step();
  placement::PlacementPlan plan = config->placement;
  plan.resident.assign(plan.resident.size(), false);
  plan.ring_bytes = 4 << 20;
  plan.streamed_bytes = 1;
  EXPECT_FALSE((*engine)->worker().place_weights(plan));
  ask(outcomes[1]);
  for (int step = 0; (*engine)->step(); step++) ASSERT_LT(step, 100);
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.endings, 1);
    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_NE(outcome.error->message().find("placing the weights anew"), std::string::npos)
        << outcome.error->message();
  }
}

TEST(LowerCeiling, WhoFitsNoMoreEndsWithTheNumbers) {
  SmallSlabs running({.threads = 1, .prefill_chunk = 24, .max_num_seqs = 2});
  Outcome large, small;
  large.wants_logits = small.wants_logits = false;
  running.add(testing::plain(20, 150, 1), large);
  running.add(testing::plain(20, 4, 2), small);
  for (int step = 0; step < 3; step++) running.engine->step();
  const auto groups = std::ssize(running.engine->config().slab_plan.frames_per_slab);
  ASSERT_TRUE(running.engine->lower_ceiling(least(*running.engine, groups)));
  running.finish();
  EXPECT_EQ(small.finished, sched::FinishReason::kLength);
  ASSERT_TRUE(large.error.has_value());
  EXPECT_NE(large.error->message().find("cannot fit into the KV pool"), std::string::npos);
}

TEST(LowerCeiling, RefusesWhatIsTooLittleOrMore) {
  Running running({.threads = 1});
  Engine& engine = running.engine();
  const int64_t now = engine.config().memory_bytes;
  const auto more = engine.lower_ceiling(now + 1);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kInvalidArgument);
  const auto less = engine.lower_ceiling(16 << 20);
  ASSERT_FALSE(less);
  EXPECT_EQ(less.error().code, Code::kResourceLimit);
  EXPECT_NE(less.error().message().find("at least"), std::string::npos);
  EXPECT_EQ(engine.config().memory_bytes, now);
  EXPECT_TRUE(engine.lower_ceiling(now));
}

TEST(LowerCeiling, IsAskedForThroughTheLiveDoor) {
  Running running({.threads = 1});
  Engine& engine = running.engine();
  const int64_t wish = least(engine, 2);
  std::optional<std::string> answer, refusal, stats;
  std::atomic<bool> ended = false;
  std::thread asking([&] {
    const std::chrono::seconds patience(30);
    answer = engine.live().ask(patience, wish);
    refusal = engine.live().ask(patience, 1);
    stats = engine.live().ask(patience);
    ended = true;
  });
  Outcome outcome;
  outcome.wants_logits = false;
  while (!ended) {
    running.add(testing::plain(20, 8, 1), outcome);
    running.finish();
  }
  asking.join();
  ASSERT_TRUE(answer && refusal && stats);
  EXPECT_EQ(Json::parse(*answer)["memory_bytes"], wish);
  EXPECT_TRUE(Json::parse(*refusal).contains("error")) << *refusal;
  EXPECT_EQ(Json::parse(*stats)["memory_bytes"]["KV"], pool_bytes(engine));
}

}  // namespace
}  // namespace strata::engine
