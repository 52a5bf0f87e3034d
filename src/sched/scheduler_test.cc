// The first-come policy by example, its invariants in random runs against a toy worker, and the
// values as JSON.
#include "sched/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "sched/serialize.h"

namespace strata::sched {
namespace {

SchedulerConfig small_config() {
  return {.max_sequences = 4,
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

Request request(int64_t id, int64_t prompt, int64_t max_tokens) {
  return {.id = static_cast<RequestId>(id), .prompt_tokens = prompt, .max_tokens = max_tokens};
}

// What a worker does, without a model: it holds every token of a sequence and remembers which
// blocks hold which positions.
class ToyWorker {
 public:
  explicit ToyWorker(const SchedulerConfig& config) : config_(config) {}

  void submit(const Request& request) { requests_[request.id] = request; }

  StepResult run(const StepPlan& plan) {
    StepResult result{.plan = plan.id};
    for (const BlockPlace& place : plan.freed) erase(place);
    for (const BlockPlace& place : plan.allocated) insert(place);
    for (const Admission& admission : plan.admitted) {
      sequences_[admission.sequence] = {requests_.at(admission.request), 0, 0, {}};
    }
    int64_t logit_rows = 0;
    for (const SequenceStep& step : plan.sequences) {
      Toy& toy = sequences_.at(step.sequence);
      check_rows(step, toy);
      logit_rows += step.all_logits ? step.rows : (step.yields_token ? 1 : 0);
      toy.computed += step.rows;
      if (!step.yields_token || toy.generated == toy.request.max_tokens) continue;
      result.sequences.push_back({.sequence = step.sequence, .tokens = {7}});
      toy.generated++;
      const bool stops = (value(toy.request.id) % 3 == 0) && toy.generated == 2;
      if (stops) result.sequences.back().finished = FinishReason::kStop;
      if (toy.generated == toy.request.max_tokens) {
        result.sequences.back().finished = FinishReason::kLength;
      }
      if (result.sequences.back().finished) {
        toy.generated = toy.request.max_tokens;
        finished_.insert(toy.request.id);
      }
    }
    EXPECT_LE(plan.rows(), config_.max_rows());
    EXPECT_LE(logit_rows, config_.max_logit_rows);
    EXPECT_LE(static_cast<int64_t>(plan.sequences.size()), config_.max_sequences);
    return result;
  }

  const std::set<RequestId>& finished() const { return finished_; }
  size_t frames_held() const { return frames_.size(); }

 private:
  struct Toy {
    Request request;
    int64_t computed = 0;
    int64_t generated = 0;
    std::map<std::pair<size_t, int64_t>, int64_t> frame_of;  // (group, block index) once written
  };

  void insert(const BlockPlace& place) {
    EXPECT_TRUE(frames_.emplace(place.group, place.frame).second) << "a frame taken twice";
    const int64_t per_slab = config_.groups[static_cast<size_t>(place.group)].frames_per_slab;
    for (const auto& [group, frame] : frames_) {
      const int64_t other = config_.groups[static_cast<size_t>(group)].frames_per_slab;
      EXPECT_TRUE(group == place.group || frame / other != place.frame / per_slab);
    }
  }
  void erase(const BlockPlace& place) {
    EXPECT_EQ(frames_.erase({place.group, place.frame}), 1u);
    written_.erase({place.group, place.frame});
  }

  // Rows continue where the sequence stands, and every position that attention will read lies in
  // the frame it was written to.
  void check_rows(const SequenceStep& step, Toy& toy) {
    EXPECT_EQ(step.first_position, toy.computed);
    EXPECT_GE(step.rows, 1);
    const int64_t end = step.first_position + step.rows;
    EXPECT_LE(end, toy.request.positions());
    EXPECT_EQ(step.yields_token, end >= toy.request.prompt_tokens);
    for (size_t g = 0; g < step.frames.size(); g++) {
      const int64_t window = config_.groups[g].window;
      const int64_t first_read =
          window == 0 ? 0 : std::max<int64_t>(0, step.first_position - window + 1);
      for (int64_t p = first_read; p < end; p++) {
        const int64_t index = p / config_.block_tokens;
        const int64_t frame = step.frames[g][static_cast<size_t>(index)];
        ASSERT_GE(frame, 0) << "a block that is read was dropped";
        EXPECT_TRUE(frames_.contains({static_cast<int>(g), frame}));
        const auto [place, fresh] = toy.frame_of.emplace(std::pair(g, index), frame);
        EXPECT_EQ(place->second, frame) << "a block moved";
        const auto owner = written_.emplace(std::pair(static_cast<int>(g), frame), step.sequence);
        EXPECT_EQ(owner.first->second, step.sequence) << "two sequences in one block";
      }
    }
  }

  SchedulerConfig config_;
  std::map<RequestId, Request> requests_;
  std::map<SequenceId, Toy> sequences_;
  std::set<std::pair<int, int64_t>> frames_;
  std::map<std::pair<int, int64_t>, SequenceId> written_;
  std::set<RequestId> finished_;
};

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

  plan = scheduler.schedule({.completions = {{plan.id, {{id, {5}, std::nullopt}}}}});
  EXPECT_EQ(plan.sequences[0].first_position, 10);
  EXPECT_EQ(plan.sequences[0].rows, 1);

  plan = scheduler.schedule({.completions = {{plan.id, {{id, {6}, FinishReason::kLength}}}}});
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
  plan = scheduler.schedule({.completions = {{plan.id, {{first, {5}, std::nullopt}}}}});
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
  Scheduler scheduler = make(small_config());
  const StepPlan plan =
      scheduler.schedule({.arrivals = {request(1, 8, 20), request(2, 8, 25), request(3, 1, 1)}});
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
  EXPECT_EQ(scheduler.blocks().reserved_blocks(1), 0);
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

// Every request ends, no frame is shared, no block is read after it was freed, everything comes
// back, every value survives JSON.
class RandomRuns : public testing::TestWithParam<int> {};

Request random_request(std::mt19937& random, int64_t id) {
  Request made =
      request(id, 1 + static_cast<int64_t>(random() % 40), 1 + static_cast<int64_t>(random() % 20));
  made.all_logits = random() % 8 == 0;
  made.priority = static_cast<int32_t>(random() % 3) - 1;
  return made;
}

template <class T, class Parse>
void expect_round_trip(const T& made, Parse parse) {
  const auto text = parse_json(to_json(made).dump(), "trace");
  ASSERT_TRUE(text) << text.error().message();
  const auto back = parse(*text);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, made);
}

TEST_P(RandomRuns, KeepTheInvariants) {
  std::mt19937 random(static_cast<uint32_t>(GetParam()));
  SchedulerConfig config = small_config();
  config.depth = 1 + GetParam() % 3;
  config.prefill_chunk = 1 + static_cast<int64_t>(random() % 9);
  Scheduler scheduler = make(config);
  ToyWorker worker(config);
  std::deque<StepPlan> in_flight;
  std::set<RequestId> ended;
  int64_t sent = 0;
  for (int step = 0; sent < 120 || !scheduler.idle(); step++) {
    ASSERT_LT(step, 20000) << "some request never ends";
    StepInput input{.now_us = step};
    while (sent < 120 && random() % 3 != 0) {
      input.arrivals.push_back(random_request(random, ++sent));
      worker.submit(input.arrivals.back());
    }
    if (sent > 0 && random() % 6 == 0) {
      input.cancels.push_back(static_cast<RequestId>(1 + static_cast<int64_t>(random()) % sent));
    }
    while (std::cmp_greater_equal(in_flight.size(), config.depth)) {
      input.completions.push_back(worker.run(in_flight.front()));
      in_flight.pop_front();
    }
    expect_round_trip(input, step_input_from_json);
    in_flight.push_back(scheduler.schedule(input));
    const StepPlan& plan = in_flight.back();
    expect_round_trip(plan, step_plan_from_json);
    for (const Refusal& refusal : plan.refused) EXPECT_TRUE(ended.insert(refusal.request).second);
    for (const RequestId id : plan.cancelled) ended.insert(id);
  }
  ended.insert(worker.finished().begin(), worker.finished().end());
  EXPECT_EQ(ended.size(), 120u);
  for (int g = 0; g < 2; g++) {
    EXPECT_EQ(scheduler.blocks().live_blocks(g), 0);
    EXPECT_EQ(scheduler.blocks().reserved_blocks(g), 0);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomRuns, testing::Range(0, 60));

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
                                     .yields_token = true}}};
  EXPECT_EQ(describe(plan), "plan 3: 2 rows (0 admitted, 0 blocks taken, 0 freed); 2@8+2*");
}

}  // namespace
}  // namespace strata::sched
