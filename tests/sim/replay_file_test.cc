// Trace files as a run leaves them, and as a full disk, a kill or an editor does.
#include "sim/replay_file.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "sched/trace.h"
#include "sim/traffic.h"

namespace strata::sim {
namespace {

using sched::StepInput;
using sched::StepPlan;
using sched::StepResult;

sched::SchedulerConfig config() {
  return {.max_sequences = 2,
          .max_batched_tokens = 8,
          .prefill_chunk = 8,
          .max_logit_rows = 2,
          .block_tokens = 4,
          .slabs = 9,
          .groups = {{.frames_per_slab = 1, .window = 0}}};
}

// A request of three prompt tokens that stops after the first: two steps.
std::vector<Json> lines() {
  sched::Scheduler scheduler = *sched::Scheduler::create(config());
  const StepInput input{
      .arrivals = {{.id = sched::RequestId{1}, .prompt_tokens = 3, .max_tokens = 9}}};
  const StepPlan plan = scheduler.schedule(input);
  const StepResult result{plan.id,
                          {{plan.sequences[0].sequence, {5}, sched::FinishReason::kStop, {}}}};
  const StepInput next{.completions = {result}};
  const StepPlan last = scheduler.schedule(next);
  return {to_json(sched::TraceHeader{"strata", "some", config()}),
          trace_step_json(input, plan, result),
          trace_step_json(next, last, StepResult{.plan = last.id}), sched::trace_end_json(2)};
}

std::string text_of(const std::vector<Json>& all) {
  std::string text;
  for (const Json& line : all) text += line.dump() + "\n";
  return text;
}

// What the tool would say: its last line, or its error from the file's name on.
std::string said(const std::string& text) {
  const std::string path =
      (std::filesystem::temp_directory_path() / "strata_replay_file_test.jsonl").string();
  auto file = real_env().open_writable(path, WriteMode::kTruncate);
  EXPECT_TRUE(file && (*file)->write(text) && (*file)->close());
  const auto outcome = replay_file(real_env(), path, {});
  std::filesystem::remove(path);
  if (outcome) return fmt::format("{} steps, {} differences", outcome->steps, outcome->differences);
  const std::string message = outcome.error().message();
  return message.substr(message.find(".jsonl") + 6);
}

TEST(ReplayFile, FindsNoDifferenceInAWholeTrace) {
  EXPECT_EQ(said(text_of(lines())), "2 steps, 0 differences");
}

TEST(ReplayFile, CountsDifferences) {
  std::vector<Json> all = lines();
  all[1]["plan"]["sequences"][0]["rows"] = 2;
  EXPECT_EQ(said(text_of(all)), "2 steps, 1 differences");
}

TEST(ReplayFile, RefusesATraceThatWasCut) {
  const std::string whole = text_of(lines());
  const size_t end = whole.rfind('\n', whole.size() - 2) + 1;
  EXPECT_EQ(said(whole.substr(0, end)),
            ":4: got the end of the file, expected a step or the last line (the trace was cut)");
  EXPECT_EQ(said(whole.substr(0, end - 1)), ":3: the line has no end: the trace was cut");
  EXPECT_EQ(said(""),
            ":1: got the end of the file, expected a step or the last line (the trace was cut)");
  std::vector<Json> all = lines();
  all.erase(all.begin() + 2);
  EXPECT_EQ(said(text_of(all)),
            ":3: steps: got 2, expected 1, as many as there are lines of steps");
}

TEST(ReplayFile, NamesLineAndFieldOfWhatIsCorrupt) {
  std::vector<Json> all = lines();
  all[1]["input"]["arrivals"][0]["prompt_tokens"] = "three";
  EXPECT_EQ(said(text_of(all)).substr(0, 36), ":2: input: arrivals: prompt_tokens: ");
  all = lines();
  all[0]["scheduler"]["slabs"] = 0;
  EXPECT_EQ(said(text_of(all)).substr(0, 24), ":1: scheduler: slabs: go");
  all = lines();
  all.push_back(all[1]);
  EXPECT_EQ(said(text_of(all)), ":5: a line behind the last one");
  EXPECT_EQ(said(text_of(lines()) + "{\n").substr(0, 3), ":5:");
}

// Damage at random is refused or told as a difference, and never anything worse.
TEST(ReplayFile, SurvivesDamage) {
  const std::string whole = text_of(lines());
  int refused = 0;
  for (uint64_t seed = 0; seed < 300; seed++) {
    std::string damaged = whole;
    damaged[mix(seed, 1) % whole.size()] = "0123456789-{}[],:\"tx"[mix(seed, 2) % 20];
    refused += said(damaged).starts_with(":") ? 1 : 0;
  }
  EXPECT_GT(refused, 150);
}

}  // namespace
}  // namespace strata::sim
