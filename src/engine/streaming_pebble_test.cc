// The model that comes with the repository under twenty plans of where its weights live: logits and
// tokens are the same bits as in memory.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "engine/test_running.h"
#include "engine/test_streaming.h"

namespace strata::engine {
namespace {

using testing::Outcome;
using testing::Streaming;

std::unique_ptr<OpenedModel> pebble() {
  const char* source = std::getenv("STRATA_SOURCE_DIR");
  if (source == nullptr) return nullptr;
  auto opened = OpenedModel::open(real_env(), std::string(source) + "/models/pebble", "",
                                  model::WeightDtype::kAuto);
  EXPECT_TRUE(opened) << opened.error().message();
  return opened ? std::move(*opened) : nullptr;
}

std::vector<GenerateRequest> sixteen_requests() {
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 16; i++) {
    requests.push_back(testing::greedy(5 + 9 * static_cast<int64_t>(i), 64, i));
    requests.back().sampling = {.temperature = 0.8, .seed = i};
  }
  return requests;
}

std::vector<Outcome> outcomes_of(Streaming& engine, const std::vector<GenerateRequest>& requests) {
  std::vector<Outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); i++) engine.add(requests[i], outcomes[i]);
  engine.finish();
  return outcomes;
}

TEST(StreamingPebbleTest, ThousandTokensAreTheSameUnderTwentyPlans) {
  const std::vector<GenerateRequest> requests = sixteen_requests();
  auto opened = pebble();
  ASSERT_NE(opened, nullptr) << "STRATA_SOURCE_DIR is not set: run through ctest";
  const model::UnitCut cut = opened->plan().cut;
  EXPECT_TRUE(opened->plan().tied_head);
  EXPECT_GE(cut.head_parts.size(), 2u);
  Streaming in_memory(real_env(), std::move(opened), {.all_resident = true, .max_num_seqs = 16});
  const std::vector<Outcome> expected = outcomes_of(in_memory, requests);
  size_t tokens = 0;
  for (const Outcome& outcome : expected) tokens += outcome.ids.size();
  EXPECT_GE(tokens, 1000u);
  std::mt19937 random(5);
  for (int run = 0; run < 20; run++) {
    Streaming::Plan plan{.ring_bytes = static_cast<int64_t>(2 + random() % 4) * (2 << 20),
                         .io = run % 2 == 0 ? IoKind::kAuto : IoKind::kPread,
                         .max_num_seqs = 16};
    for (size_t unit = 0; unit < cut.units.size(); unit++) {
      plan.resident.push_back(static_cast<int>(random() % 20) < run);
    }
    plan.resident[1] = false;
    Streaming streaming(real_env(), pebble(), plan);
    const std::vector<Outcome> outcomes = outcomes_of(streaming, requests);
    for (size_t i = 0; i < requests.size(); i++) {
      testing::expect_same(outcomes[i], expected[i], "plan " + std::to_string(run));
    }
  }
}

}  // namespace
}  // namespace strata::engine
