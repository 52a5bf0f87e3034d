// A run's lines replay to the same plans; what was changed, cut or never a run is told.
#include "sched/trace.h"

#include <gtest/gtest.h>

#include <vector>

namespace strata::sched {
namespace {

TraceHeader header() {
  return {.program = "strata",
          .model = "some",
          .scheduler = {.max_sequences = 2,
                        .max_batched_tokens = 8,
                        .prefill_chunk = 8,
                        .max_logit_rows = 2,
                        .block_tokens = 4,
                        .slabs = 9,
                        .groups = {{.frames_per_slab = 1, .window = 0}}}};
}

// Two requests, three tokens each.
std::vector<Json> recorded() {
  Scheduler scheduler = *Scheduler::create(header().scheduler);
  std::vector<Json> lines;
  std::vector<int> generated(3, 0);
  StepInput input{.arrivals = {
                      {.id = RequestId{1}, .prompt_tokens = 3, .max_tokens = 3},
                      {.id = RequestId{2}, .prompt_tokens = 9, .max_tokens = 3},
                  }};
  while (true) {
    const StepPlan plan = scheduler.schedule(input);
    StepResult result{.plan = plan.id};
    for (const SequenceStep& step : plan.sequences) {
      if (!step.yields_token) continue;
      result.sequences.push_back({.sequence = step.sequence, .tokens = {5}});
      if (++generated[static_cast<size_t>(value(step.sequence))] == 3) {
        result.sequences.back().finished = FinishReason::kLength;
      }
    }
    lines.push_back(trace_step_json(input, plan, result));
    if (scheduler.idle()) return lines;
    input = {.now_us = input.now_us + 1, .completions = {result}};
  }
}

// Of a plan that the first step cannot have had.
Json one_completion() { return Json::array({Json{{"plan", 1}, {"sequences", Json::array()}}}); }

// The first line that is refused or differs, as text; empty where the trace replays.
std::string replayed(const std::vector<Json>& lines) {
  Replay replay = *Replay::create(header());
  for (const Json& line : lines) {
    const auto step = trace_step_from_json(line);
    if (!step) return "refused: " + step.error().message();
    const auto found = replay.step(*step);
    if (!found) return "refused: " + found.error().message();
    if (*found) return **found;
  }
  return "";
}

TEST(Trace, ReplaysToTheSamePlans) {
  const std::vector<Json> lines = recorded();
  EXPECT_GE(lines.size(), 4u);
  EXPECT_EQ(replayed(lines), "");
}

TEST(Trace, TellsAPlanThatDiffers) {
  std::vector<Json> lines = recorded();
  lines[1]["plan"]["sequences"][0]["rows"] = 2;
  EXPECT_EQ(replayed(lines).substr(0, 36), "plan 2: sequences is [{\"sequence\":1,");
}

TEST(Trace, TellsAResultThatWasNotTaken) {
  std::vector<Json> lines = recorded();
  lines[0]["result"]["sequences"][0]["tokens"][0] = 6;
  EXPECT_EQ(replayed(lines), "the result of plan 1 is not the one that the input brings");
}

TEST(Trace, RefusesWhatIsNoRun) {
  const auto refused = [](size_t line, const char* pointer, const Json& value) {
    std::vector<Json> lines = recorded();
    lines[line].at(Json::json_pointer(pointer)) = value;
    return replayed(lines);
  };
  EXPECT_EQ(refused(1, "/input/completions/0/plan", 7),
            "refused: input: completions[0].plan: got 7, expected 1, a plan that has been made");
  EXPECT_EQ(refused(0, "/input/completions", one_completion()),
            "refused: input: completions[0].plan: got 1, expected 1, a plan that has been made");
  EXPECT_EQ(
      refused(1, "/input/completions", Json::array()),
      "refused: input: completions: got 0, expected so many that at most 1 plans are in flight");
  EXPECT_EQ(refused(1, "/input/completions/0/sequences/0/tokens", {5, 5}),
            "refused: input: completions[0]: sequence 1: tokens: got 2, expected at most 1, which "
            "plans in flight yield or guess");
  EXPECT_EQ(
      refused(0, "/input/arrivals/0/block_hashes", {std::string(32, '0')}),
      "refused: input: arrivals[0].block_hashes: got 1, expected none, or 0: one of every full "
      "block");
  EXPECT_EQ(
      refused(1, "/input/completions/0/sequences/0/block_hashes",
              {std::string(32, '0'), std::string(32, '1')}),
      "refused: input: completions[0]: sequence 1: block_hashes: got 2, expected none, or one "
      "of every block that is full");
  EXPECT_EQ(refused(2, "/plan/freed", 3), "refused: plan: freed: got 3, expected an array");
}

TEST(Trace, RefusesASequenceThatGoesPastItsLimit) {
  std::vector<Json> lines = recorded();
  for (Json& line : lines) {
    for (Json& completion : line["input"]["completions"]) {
      for (Json& entry : completion["sequences"]) entry.erase("finished");
    }
  }
  EXPECT_EQ(replayed(lines).substr(0, 62),
            "refused: input: completions[0]: sequence 1: finished: got miss");
}

TEST(Trace, KeepsEveryFieldOfTheHeader) {
  TraceHeader made = header();
  made.scheduler.depth = 2;
  made.scheduler.prefix_caching = false;
  made.scheduler.batching = Batching::kStatic;
  made.scheduler.reserve_tokens = 17;
  made.scheduler.ageing_us = 18;
  made.scheduler.fair_us_per_token = 19;
  made.scheduler.groups[0].window = 20;
  const Json json = to_json(made);
  const auto read = trace_header_from_json(json);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(to_json(*read), json);
  EXPECT_EQ(json["scheduler"].size(), 13u);
}

TEST(Trace, RefusesOtherFormatsAndImpossibleSchedulers) {
  Json json = to_json(header());
  json["trace_format"] = 2;
  EXPECT_EQ(trace_header_from_json(json).error().code, Code::kUnsupported);
  json = to_json(header());
  json["scheduler"]["batching"] = "dynamic";
  EXPECT_EQ(trace_header_from_json(json).error().message(),
            "scheduler: batching: got dynamic, expected continuous or static");
  TraceHeader none = header();
  none.scheduler.groups.clear();
  EXPECT_FALSE(Replay::create(none));
}

}  // namespace
}  // namespace strata::sched
