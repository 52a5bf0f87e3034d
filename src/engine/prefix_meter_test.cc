// Hits that a cache without limits would have, counted by hand. The engine's own are beside the
// scheduler's in engine_stats_test.cc.
#include "engine/prefix_meter.h"

#include <gtest/gtest.h>

namespace strata::engine {
namespace {

using sched::RequestId;
using sched::SequenceId;
using sched::StepPlan;

constexpr int64_t kBlock = 4;

sched::Request request(int64_t id, int64_t tokens) {
  sched::Request made{.id = RequestId{id}, .prompt_tokens = tokens, .max_tokens = 9};
  for (uint64_t i = 0; i < static_cast<uint64_t>(tokens / kBlock); i++) {
    made.block_hashes.push_back({1, i});
  }
  return made;
}

// The request's first sequence starts and computes `rows` from its start on.
void start(PrefixMeter& meter, const sched::Request& made, int64_t rows) {
  const SequenceId id{value(made.id)};
  meter.add({.arrivals = {made}}, StepPlan{.admitted = {{made.id, id, 0}},
                                           .sequences = {{.sequence = id, .rows = rows}}});
}

TEST(PrefixMeter, SeesBlocksOfWhoStillRunsFromTheNextPlanOn) {
  PrefixMeter meter(kBlock, 100);
  start(meter, request(1, 20), 9);  // two blocks and a row of the third
  start(meter, request(2, 20), 20);
  EXPECT_EQ(meter.best_hit_tokens(), 8);
  start(meter, request(3, 20), 20);
  EXPECT_EQ(meter.best_hit_tokens(), 8 + 16) << "the last token's row is always computed";
  EXPECT_EQ(meter.prompt_tokens(), 60);
  EXPECT_EQ(meter.hit_tokens(), 0);
}

TEST(PrefixMeter, DoesNotCountWhereAllLogitsAreWanted) {
  PrefixMeter meter(kBlock, 100);
  start(meter, request(1, 20), 20);
  sched::Request all = request(2, 20);
  all.all_logits = true;
  start(meter, all, 20);
  EXPECT_EQ(meter.best_hit_tokens(), 0);
}

TEST(PrefixMeter, SaysNothingOnceItRemembersTooLittle) {
  PrefixMeter meter(kBlock, 3);
  start(meter, request(1, 12), 12);
  start(meter, request(2, 12), 12);
  EXPECT_EQ(meter.best_hit_tokens(), 8);
  start(meter, request(3, 20), 20);
  start(meter, request(4, 20), 20);
  EXPECT_EQ(meter.best_hit_tokens(), std::nullopt);
}

}  // namespace
}  // namespace strata::engine
