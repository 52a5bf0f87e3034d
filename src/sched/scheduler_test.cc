// The policy by example and the values as JSON. Random traffic is the simulator's (tests/sim).
#include "sched/scheduler.h"

#include <gtest/gtest.h>

#include <map>

#include "sched/serialize.h"
#include "sched/test_driver.h"

namespace strata::sched {
namespace {

SchedulerConfig small_config() {
  return {.max_sequences = 4,
          .max_batched_tokens = 8,
          .prefill_chunk = 8,
          .max_logit_rows = 6,
          .block_tokens = 4,
          .slabs = 8,
          .groups = {{.frames_per_slab = 2, .window = 0}, {.frames_per_slab = 4, .window = 6}}};
}

Scheduler make(const SchedulerConfig& config) {
  auto scheduler = Scheduler::create(config);
  EXPECT_TRUE(scheduler) << scheduler.error().message();
  return std::move(*scheduler);
}

std::vector<BlockHash> hashes(uint64_t family, uint64_t count) {
  std::vector<BlockHash> made;
  for (uint64_t i = 0; i < count; i++) made.push_back({family, i});
  return made;
}

TEST(Scheduler, ChunksAPromptAndThenDecodes) {
  Scheduler scheduler = make(small_config());
  StepPlan plan = scheduler.schedule({.arrivals = {request(1, 10, 2)}});
  ASSERT_EQ(plan.sequences.size(), 1u);
  EXPECT_EQ(plan.sequences[0].rows, 8);
  EXPECT_FALSE(plan.sequences[0].yields_token);
  const SequenceId id = plan.sequences[0].sequence;

  plan = scheduler.schedule({.completions = {{.plan = plan.id}}});
  EXPECT_EQ(plan.sequences[0].first_position, 8);
  EXPECT_EQ(plan.sequences[0].rows, 2);
  EXPECT_TRUE(plan.sequences[0].yields_token);

  plan = scheduler.schedule({.completions = {{plan.id, {{id, {5}, std::nullopt, {}}}}}});
  EXPECT_EQ(plan.sequences[0].first_position, 10);
  EXPECT_EQ(plan.sequences[0].rows, 1);

  plan = scheduler.schedule({.completions = {{plan.id, {{id, {6}, FinishReason::kLength, {}}}}}});
  EXPECT_TRUE(plan.sequences.empty());
  EXPECT_EQ(plan.freed.size(),
            5u);  // 11 positions: 3 blocks kept, of the window's 3 one went before
  EXPECT_TRUE(scheduler.idle());
}

TEST(Scheduler, PutsDecodesFirstAndPromptsIntoTheRest) {
  Scheduler scheduler = make(small_config());
  StepPlan plan = scheduler.schedule({.arrivals = {request(1, 2, 9), request(2, 20, 1)}});
  ASSERT_EQ(plan.sequences.size(), 2u);
  EXPECT_EQ(plan.sequences[1].rows, 6);
  const SequenceId first = plan.sequences[0].sequence;
  plan = scheduler.schedule({.completions = {{plan.id, {{first, {5}, std::nullopt, {}}}}}});
  ASSERT_EQ(plan.sequences.size(), 2u);
  EXPECT_EQ(plan.sequences[0].rows, 1);
  EXPECT_EQ(plan.sequences[1].rows, 7);
  EXPECT_EQ(plan.rows(), 8);
}

TEST(Scheduler, RefusesWithNumbersWhatCanNeverFit) {
  Scheduler scheduler = make(small_config());
  const StepPlan plan = scheduler.schedule({.arrivals = {request(1, 100, 1), request(2, 3, 1)}});
  ASSERT_EQ(plan.refused.size(), 1u);
  EXPECT_EQ(plan.refused[0].request, static_cast<RequestId>(1));
  EXPECT_EQ(plan.refused[0].needed_blocks, 25);
  EXPECT_EQ(plan.refused[0].pool_blocks, 14);  // one of the 8 slabs goes to the window's blocks
  EXPECT_EQ(plan.sequences.size(), 1u);
}

TEST(Scheduler, LetsTheFirstWaitRatherThanBeOvertaken) {
  SchedulerConfig config = small_config();
  config.max_batched_tokens = config.prefill_chunk = 100;
  Scheduler scheduler = make(config);
  const StepPlan plan =
      scheduler.schedule({.arrivals = {request(1, 30, 9), request(2, 30, 1), request(3, 1, 1)}});
  EXPECT_EQ(plan.admitted.size(), 1u);
  EXPECT_EQ(scheduler.waiting(), 2);
}

TEST(Scheduler, CancelsWaitingAndRunningRequestsOnce) {
  Scheduler scheduler = make(small_config());
  StepPlan plan = scheduler.schedule({.arrivals = {request(1, 8, 20), request(2, 8, 25)}});
  plan = scheduler.schedule({.cancels = {static_cast<RequestId>(2), static_cast<RequestId>(1),
                                         static_cast<RequestId>(1), static_cast<RequestId>(9)},
                             .completions = {{.plan = plan.id}}});
  EXPECT_EQ(plan.cancelled.size(), 2u);
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.blocks().live_blocks(0), 0);
  EXPECT_EQ(scheduler.audit(), "");
}

// Somebody who goes away at once leaves nothing behind that runs.
TEST(Scheduler, CancelsWhatArrivesInTheSameStep) {
  Scheduler scheduler = make(small_config());
  const StepPlan plan = scheduler.schedule(
      {.arrivals = {request(1, 8, 20), request(2, 3, 1)}, .cancels = {static_cast<RequestId>(1)}});
  EXPECT_EQ(plan.cancelled, std::vector<RequestId>{static_cast<RequestId>(1)});
  EXPECT_EQ(plan.admitted.size(), 1u);
  EXPECT_EQ(scheduler.waiting(), 0);
  EXPECT_EQ(scheduler.audit(), "");
}

TEST(Scheduler, CutsChunksWhoseLogitsAreAllWanted) {
  Scheduler scheduler = make(small_config());
  Request wanted = request(1, 10, 1);
  wanted.all_logits = true;
  const StepPlan plan = scheduler.schedule({.arrivals = {wanted}});
  EXPECT_EQ(plan.sequences[0].rows, 6);
}

TEST(Scheduler, PredictsFromPrices) {
  Scheduler scheduler = make(small_config());
  const StepPlan plan =
      scheduler.schedule({.arrivals = {request(1, 3, 1)}, .prices = {.step_us = 10, .row_us = 2}});
  EXPECT_EQ(plan.predicted_us, 16);
}

TEST(Scheduler, NamesTheNumberThatMakesNoSense) {
  SchedulerConfig config = small_config();
  config.max_logit_rows = 3;
  EXPECT_NE(Scheduler::create(config).error().message().find("max_logit_rows"), std::string::npos);
  config = small_config();
  config.slabs = 0;
  EXPECT_NE(Scheduler::create(config).error().message().find("slabs"), std::string::npos);
}

// One group, 6 blocks of 4 tokens.
SchedulerConfig tight_config() {
  return {.max_sequences = 4,
          .max_batched_tokens = 16,
          .prefill_chunk = 16,
          .max_logit_rows = 8,
          .block_tokens = 4,
          .slabs = 6,
          .groups = {{}}};
}

TEST(Scheduler, StartsBehindTheBlocksThatAreCached) {
  Driver driver(small_config());
  Request first = request(1, 9, 2);
  first.block_hashes = hashes(1, 2);
  driver.step({.arrivals = {first}});
  driver.finish();
  Request longer = request(2, 12, 1), same = request(3, 8, 1), other = request(4, 9, 1);
  longer.block_hashes = hashes(1, 3);
  same.block_hashes = hashes(1, 2);
  other.block_hashes = hashes(2, 2);
  driver.step({.arrivals = {longer, same, other}});
  EXPECT_EQ(driver.rows_of(2)->first_position, 8);
  EXPECT_EQ(driver.rows_of(3)->first_position, 4);  // the last token's logits are wanted
  EXPECT_EQ(driver.scheduler().stats().cached_tokens, 12);
  driver.finish();
  EXPECT_EQ(driver.scheduler().stats().cached_tokens, 12);
}

// The window's group needs only the blocks that the next row sees; without them there is no hit,
// whatever the other group has.
TEST(Scheduler, NeedsTheBlocksOfEveryGroupForAHit) {
  SchedulerConfig config = small_config();
  config.max_batched_tokens = config.prefill_chunk = 40;
  config.slabs = 8;
  Driver driver(config);
  Request first = request(1, 17, 1);
  first.block_hashes = hashes(1, 4);
  driver.step({.arrivals = {first}});
  driver.finish();
  EXPECT_EQ(driver.scheduler().blocks().cached_blocks(1), 4);
  Request again = first;
  again.id = static_cast<RequestId>(2);
  driver.step({.arrivals = {again}});
  EXPECT_EQ(driver.rows_of(2)->first_position, 16);
  EXPECT_EQ(driver.rows_of(2)->frames[1][1], -1);  // positions 11 to 15 are in blocks 2 and 3
  EXPECT_GE(driver.rows_of(2)->frames[1][2], 0);
  driver.finish();
}

TEST(Scheduler, ComputesEverythingWhereAllLogitsOrNoCacheAreWanted) {
  for (const bool caching : {true, false}) {
    SchedulerConfig config = small_config();
    config.prefix_caching = caching;
    Driver driver(config);
    Request first = request(1, 9, 1), second = request(2, 9, 1);
    first.block_hashes = second.block_hashes = hashes(1, 2);
    second.all_logits = caching;
    driver.step({.arrivals = {first}});
    driver.finish();
    driver.step({.arrivals = {second}});
    EXPECT_EQ(driver.rows_of(2)->first_position, 0);
  }
}

TEST(Scheduler, WaitsAStepForBlocksThatAreBeingComputed) {
  SchedulerConfig config = tight_config();
  Driver driver(config);
  Request first = request(1, 6, 1), second = request(2, 7, 1);
  first.block_hashes = second.block_hashes = hashes(1, 1);
  EXPECT_EQ(driver.step({.arrivals = {first, second}}).admitted.size(), 1u);
  driver.step();
  EXPECT_EQ(driver.rows_of(2)->first_position, 4);
}

TEST(Scheduler, FindsBlocksOfAnswers) {
  Scheduler scheduler = make(tight_config());
  StepPlan plan = scheduler.schedule({.arrivals = {request(1, 3, 3)}});
  const SequenceId id = plan.sequences[0].sequence;
  plan = scheduler.schedule({.completions = {{plan.id, {{id, {5}, std::nullopt, hashes(1, 1)}}}}});
  plan = scheduler.schedule({.completions = {{plan.id, {{id, {5}, FinishReason::kStop, {}}}}}});
  Request next = request(2, 9, 1);
  next.block_hashes = hashes(1, 2);
  plan = scheduler.schedule({.arrivals = {next}, .completions = {{.plan = plan.id}}});
  EXPECT_EQ(plan.sequences[0].first_position, 4);
}

// 6 blocks, of which the first prompt leaves 4 in the cache; the second one needs 3.
TEST(Scheduler, KeepsLeadingBlocksLongest) {
  Driver driver(tight_config());
  Request first = request(1, 17, 1);
  first.block_hashes = hashes(1, 4);
  driver.step({.arrivals = {first}});
  driver.finish();
  driver.step({.arrivals = {request(2, 9, 1)}});
  driver.finish();
  Request again = first;
  again.id = static_cast<RequestId>(3);
  driver.step({.arrivals = {again}});
  EXPECT_EQ(driver.rows_of(3)->first_position, 12);
}

// 6 blocks: both prompts fit, both answers do not. The later one gives way and starts over.
TEST(Scheduler, PreemptsTheLastInOrder) {
  Driver driver(tight_config());
  Request second = request(2, 5, 10);
  second.block_hashes = hashes(2, 1);
  driver.step({.arrivals = {request(1, 5, 10), second}});
  std::vector<SequenceId> preempted;
  int64_t restarted_at = -1;
  for (int i = 0; i < 60 && !driver.scheduler().idle(); i++) {
    const StepPlan& plan = driver.step();
    preempted.insert(preempted.end(), plan.preempted.begin(), plan.preempted.end());
    const SequenceStep* rows = driver.rows_of(2);
    if (!preempted.empty() && rows != nullptr && restarted_at < 0) {
      restarted_at = rows->first_position;
      EXPECT_GT(rows->rows, 1);
      EXPECT_TRUE(rows->yields_token);
    }
  }
  EXPECT_TRUE(driver.scheduler().idle());
  EXPECT_EQ(preempted, std::vector<SequenceId>{static_cast<SequenceId>(2)});
  EXPECT_GE(restarted_at, 0);
  EXPECT_EQ(driver.order(), (std::vector<int64_t>{1, 2}));
}

TEST(Scheduler, GivesEveryPositionsLogitsOnceDespitePreemption) {
  Driver driver(tight_config());
  Request second = request(2, 5, 10);
  second.all_logits = true;
  driver.step({.arrivals = {request(1, 5, 10), second}});
  int64_t next = 5;
  while (!driver.scheduler().idle()) {
    driver.step();
    const SequenceStep* rows = driver.rows_of(2);
    if (rows == nullptr || !rows->all_logits) continue;
    EXPECT_EQ(rows->first_position, next);
    next += rows->rows;
  }
  EXPECT_EQ(next, 14);
  EXPECT_EQ(driver.scheduler().stats().preemptions, 1);
}

std::vector<int64_t> order_of(std::vector<StepInput> inputs) {
  SchedulerConfig config = tight_config();
  config.max_sequences = 1;
  config.ageing_us = 100;
  config.fair_us_per_token = 10;
  Driver driver(config);
  for (StepInput& input : inputs) driver.step(std::move(input));
  driver.finish();
  return driver.order();
}

Request with(int64_t id, int32_t priority, int64_t key) {
  Request made = request(id, 1, 1);
  made.max_tokens = 2;
  made.priority = priority;
  made.key = key;
  return made;
}

TEST(Scheduler, LetsWaitingOutweighPriority) {
  EXPECT_EQ(order_of({{.now_us = 1, .arrivals = {with(1, 0, 0), with(2, 1, 1), with(3, 0, 2)}}}),
            (std::vector<int64_t>{1, 3, 2}));
  // The second came 101 us before: a level is worth 100.
  EXPECT_EQ(order_of({{.now_us = 1, .arrivals = {with(1, 0, 0), with(2, 1, 1)}},
                      {.now_us = 102, .arrivals = {with(3, 0, 2)}}}),
            (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(order_of({{.now_us = 1, .arrivals = {with(1, 0, 0), with(2, 1, 1)}},
                      {.now_us = 100, .arrivals = {with(3, 0, 2)}}}),
            (std::vector<int64_t>{1, 3, 2}));
}

TEST(Scheduler, SharesEvenlyBetweenKeys) {
  EXPECT_EQ(order_of({{.now_us = 1,
                       .arrivals = {with(1, 0, 7), with(2, 0, 7), with(3, 0, 7), with(4, 0, 8),
                                    with(5, 0, 8)}}}),
            (std::vector<int64_t>{1, 4, 2, 5, 3}));
}

// 6 prompt tokens: one full block for all, and one half-filled block each; the first writes on in
// the one it has.
TEST(Scheduler, ForksSequencesOfARequestAndCopiesWhatTheyWrite) {
  Driver driver(tight_config());
  Request made = request(1, 6, 3);
  made.sequences = 3;
  EXPECT_EQ(driver.step({.arrivals = {made}}).admitted.size(), 1u);
  const StepPlan plan = driver.step();
  ASSERT_EQ(plan.sequences.size(), 3u);
  EXPECT_EQ(plan.admitted.back().choice, 2);
  EXPECT_EQ(plan.allocated.size(), 2u);
  ASSERT_EQ(plan.copies.size(), 2u);
  for (size_t i = 1; i < 3; i++) {
    EXPECT_EQ(plan.sequences[i].first_position, 5);
    EXPECT_TRUE(plan.sequences[i].yields_token);
    EXPECT_EQ(plan.sequences[i].frames[0][0], plan.sequences[0].frames[0][0]);
    EXPECT_EQ(plan.copies[i - 1].from_frame, plan.sequences[0].frames[0][1]);
    EXPECT_EQ(plan.copies[i - 1].to_frame, plan.sequences[i].frames[0][1]);
  }
  driver.finish();
  EXPECT_EQ(driver.scheduler().blocks().live_blocks(0), 0);
}

// Blocks are found from the plan after the one that fills them, before it is known whether it did.
TEST(Scheduler, FailedStepLeavesNothingToBeFound) {
  SchedulerConfig config = small_config();
  config.groups = {{.frames_per_slab = 4, .window = 0}};
  for (const bool failed : {false, true}) {
    Scheduler scheduler = make(config);
    Request first = request(1, 8, 4), second = request(2, 9, 4);
    first.block_hashes = second.block_hashes = hashes(1, 2);
    const StepPlan plan = scheduler.schedule({.arrivals = {first}});
    const SequenceResult ended{plan.sequences.at(0).sequence, {}, FinishReason::kCancelled, {}};
    const StepPlan next = scheduler.schedule(
        {.arrivals = {second}, .completions = {StepResult{plan.id, {ended}, failed}}});
    ASSERT_EQ(next.sequences.size(), 1u);
    EXPECT_EQ(next.sequences[0].first_position, failed ? 0 : 8);
    EXPECT_EQ(scheduler.audit(), "");
  }
}

TEST(Scheduler, AuditsFindPlantedBugs) {
  auto scheduler = Scheduler::create_planted(tight_config(), Plant::kLostDecref);
  ASSERT_TRUE(scheduler);
  Request made = request(1, 6, 3);
  made.sequences = 2;
  StepPlan plan = scheduler->schedule({.arrivals = {made}});
  plan = scheduler->schedule(
      {.completions = {{plan.id, {{static_cast<SequenceId>(1), {5}, std::nullopt, {}}}}}});
  EXPECT_EQ(scheduler->audit(), "");
  scheduler->schedule({.cancels = {made.id}, .completions = {{.plan = plan.id}}});
  EXPECT_NE(scheduler->audit().find("references"), std::string::npos);
}

template <class T, class Parse>
void expect_round_trip(const T& made, Parse parse) {
  const auto text = parse_json(to_json(made).dump(), "trace");
  ASSERT_TRUE(text) << text.error().message();
  const auto back = parse(*text);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, made);
}

TEST(Serialize, KeepsEveryField) {
  Request made = request(3, 9, 4);
  made.priority = -2;
  made.key = 11;
  made.sequences = 5;
  made.all_logits = true;
  made.block_hashes = {{~uint64_t{0}, 5}, {0, 1}};
  const auto sequence = static_cast<SequenceId>(8);
  const StepResult result{
      static_cast<PlanId>(2),
      {{sequence, {4, 5}, std::nullopt, hashes(9, 2), 3}, {sequence, {}, FinishReason::kStop, {}}},
      true};
  expect_round_trip(StepInput{.now_us = 7,
                              .arrivals = {made},
                              .cancels = {made.id},
                              .completions = {result},
                              .prices = {.step_us = 1.5, .row_us = 2}},
                    step_input_from_json);
  expect_round_trip(StepPlan{.id = static_cast<PlanId>(3),
                             .now_us = 8,
                             .predicted_us = 0.5,
                             .admitted = {{made.id, sequence, 4}},
                             .refused = {{made.id, 5, 4}},
                             .cancelled = {made.id},
                             .preempted = {sequence},
                             .freed = {{1, static_cast<BlockId>(2), 3}},
                             .allocated = {{0, static_cast<BlockId>(4), 5}},
                             .copies = {{1, 6, 7}},
                             .sequences = {{sequence, 1, 3, true, true, 2, {{-1, 3}, {}}}}},
                    step_plan_from_json);
}

TEST(Serialize, ReportsFieldsThatAreWrong) {
  const StepPlan plan{.id = static_cast<PlanId>(3),
                      .sequences = {{.rows = 1, .frames = {{1, -1}, {0}}}}};
  Json json = to_json(plan);
  json["sequences"][0]["rows"] = 0;
  EXPECT_NE(step_plan_from_json(json).error().message().find("rows"), std::string::npos);
  json = to_json(plan);
  json["sequences"][0]["frames"][0][1] = "x";
  EXPECT_NE(step_plan_from_json(json).error().message().find("frame"), std::string::npos);
  json = to_json(StepResult{.sequences = {{.finished = FinishReason::kStop}}});
  json["sequences"][0]["finished"] = "maybe";
  EXPECT_NE(step_result_from_json(json).error().message().find("maybe"), std::string::npos);
}

TEST(Serialize, DescribesAPlanInALine) {
  const StepPlan plan{.id = static_cast<PlanId>(3),
                      .sequences = {{.sequence = static_cast<SequenceId>(2),
                                     .first_position = 8,
                                     .rows = 2,
                                     .yields_token = true,
                                     .drafts = 1}}};
  EXPECT_EQ(describe(plan),
            "plan 3: 2 rows (0 admitted, 0 preempted, 0 blocks taken, 0 freed); 2@8+2*~1");
}

}  // namespace
}  // namespace strata::sched
