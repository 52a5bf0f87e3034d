// A model whose weights stay on the disk, in whole or in part: the same bits as in memory for every
// placement, ring and way of reading; a failed read ends its requests with the reason, and what
// follows is right again.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/fault_env.h"
#include "engine/test_running.h"
#include "engine/test_streaming.h"

namespace strata::engine {
namespace {

using testing::Outcome;
using testing::Streaming;

const testing::TestModel& shared() { return testing::Running::shared_model(); }

std::vector<GenerateRequest> some_requests() {
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < 5; i++) {
    requests.push_back(testing::greedy(7 + 13 * static_cast<int64_t>(i), 9, 100 + i));
  }
  return requests;
}

TEST(StreamingTest, GivesTheBitsOfAModelInMemoryForEveryPlan) {
  const std::vector<GenerateRequest> requests = some_requests();
  const std::vector<Outcome> expected = testing::each_alone(requests);
  std::mt19937 random(1);
  for (int run = 0; run < 12; run++) {
    Streaming::Plan plan{.ring_bytes = static_cast<int64_t>(1 + random() % 3) * (2 << 20),
                         .io = run % 3 == 0 ? IoKind::kPread : IoKind::kAuto,
                         .threads = 1 + static_cast<int>(random() % 2)};
    if (run != 0) {
      const size_t units = shared().open()->plan().cut.units.size();
      for (size_t unit = 0; unit < units; unit++) {
        plan.resident.push_back(random() % 3 == 0);
      }
    }
    Streaming streaming(real_env(), shared().open(), plan);
    std::vector<Outcome> outcomes(requests.size());
    for (size_t i = 0; i < requests.size(); i++) streaming.add(requests[i], outcomes[i]);
    streaming.finish();
    for (size_t i = 0; i < requests.size(); i++) {
      testing::expect_same(outcomes[i], expected[i], "run " + std::to_string(run));
    }
  }
}

// The failed step's requests end with the reason; the same prompts asked again are computed anew,
// and not from blocks that the failed step was to fill.
TEST(StreamingTest, FailedReadEndsItsRequestsAndNoLaterOne) {
  const std::vector<GenerateRequest> requests = some_requests();
  const std::vector<Outcome> expected = testing::each_alone(requests);
  int failed_runs = 0;
  for (int64_t call = 30; call < 330; call += 23) {
    FaultEnv env(real_env(), {.fail_call = call});
    Streaming streaming(env, shared().open(), {});
    std::vector<Outcome> first(requests.size()), second(requests.size());
    for (size_t i = 0; i < requests.size(); i++) streaming.add(requests[i], first[i]);
    streaming.finish();
    for (size_t i = 0; i < requests.size(); i++) streaming.add(requests[i], second[i]);
    streaming.finish();
    bool failed = false;
    for (size_t i = 0; i < requests.size(); i++) {
      EXPECT_EQ(first[i].endings, 1);
      for (const Outcome* outcome : {&first[i], &second[i]}) {
        if (!outcome->error) {
          testing::expect_same(*outcome, expected[i], "call " + std::to_string(call));
          continue;
        }
        failed = true;
        EXPECT_EQ(outcome->error->code, Code::kIo);
        EXPECT_TRUE(outcome->error->what.starts_with("unit ")) << outcome->error->what;
        EXPECT_TRUE(
            std::ranges::equal(outcome->ids, std::span(expected[i].ids).first(outcome->ids.size())))
            << "a wrong token before the error";
      }
    }
    failed_runs += failed ? 1 : 0;
  }
  EXPECT_GE(failed_runs, 10);
}

TEST(StreamingTest, DeadDiskEndsEveryRequest) {
  FaultEnv env(real_env(), {.fail_call = 60, .for_ever = true});
  Streaming streaming(env, shared().open(), {});
  std::vector<Outcome> outcomes(12);
  for (size_t i = 0; i < outcomes.size(); i++) {
    streaming.add(testing::plain(20, 8, static_cast<uint32_t>(i)), outcomes[i]);
  }
  streaming.finish();
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.endings, 1);
    EXPECT_TRUE(outcome.error.has_value() || outcome.finished.has_value());
  }
  EXPECT_TRUE(outcomes.back().error.has_value());
}

TEST(StreamingTest, StopBetweenUnitsCancelsWhatRuns) {
  Streaming streaming(real_env(), shared().open(), {});
  Outcome outcome, later;
  streaming.add(testing::plain(20, 8, 1), outcome);
  int asked = 0;
  streaming.engine().set_stop_check([&asked](bool) { return ++asked == 4; });
  streaming.finish();
  EXPECT_EQ(outcome.endings, 1);
  EXPECT_EQ(outcome.finished, sched::FinishReason::kCancelled);
  EXPECT_EQ(asked, 4);
  streaming.add(testing::plain(20, 8, 1), later);
  streaming.finish();
  EXPECT_EQ(later.finished, sched::FinishReason::kLength);
  Outcome alone;
  testing::Running resident({.threads = 1});
  resident.add(testing::plain(20, 8, 1), alone);
  resident.finish();
  EXPECT_EQ(later.ids, alone.ids);
}

TEST(StreamingTest, RingIsReadOncePerPassAndCharged) {
  Streaming streaming(real_env(), shared().open(), {.ring_bytes = 4 << 20});
  Outcome outcome;
  streaming.add(testing::plain(20, 8, 1), outcome);
  streaming.finish();
  const memory::Ring* ring = streaming.engine().worker().ring();
  ASSERT_NE(ring, nullptr);
  EXPECT_EQ(ring->stats().units % static_cast<int64_t>(streaming.units() - 1), 0);
  EXPECT_GE(streaming.engine().worker().account().bytes(memory::MemoryTag::kRing), 4 << 20);
}

}  // namespace
}  // namespace strata::engine
