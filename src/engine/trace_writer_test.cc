// A trace never ends a run: a disk that fills up ends the trace.
#include "engine/trace_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/fault_env.h"
#include "base/log.h"

namespace strata::engine {
namespace {

std::vector<std::string>& warnings() {
  static std::vector<std::string> lines;
  return lines;
}

void keep_line(LogLevel level, std::string_view line) {
  if (level == LogLevel::kWarning) warnings().emplace_back(line);
}

// Steps of about 30 kB, so that some lines make a piece.
std::string written_by(Env& env, int steps) {
  const std::string path =
      (std::filesystem::temp_directory_path() / "strata_trace_writer_test.jsonl").string();
  auto writer = TraceWriter::open(env, path, {.program = "strata", .model = "some"});
  EXPECT_TRUE(writer) << writer.error().message();
  sched::StepPlan plan;
  plan.freed.resize(1000);
  for (int i = 0; i < steps; i++) writer->add({}, plan, {});
  writer->close();
  writer->close();
  std::string text = real_env().read_small_file(path, 100 << 20).value_or("");
  std::filesystem::remove(path);
  return text;
}

TEST(TraceWriter, WritesALineForEveryStep) {
  const std::string text = written_by(real_env(), 40);
  EXPECT_EQ(std::ranges::count(text, '\n'), 42);
  EXPECT_TRUE(text.ends_with("{\"steps\":40}\n"));
}

TEST(TraceWriter, StopsWithAWarningWhereTheDiskIsFull) {
  const LogSink before = set_log_sink(keep_line);
  // Calls: open, a write for every piece, close.
  for (const int64_t call : {1, 2}) {
    warnings().clear();
    FaultEnv env(real_env(),
                 {.kind = FaultPlan::Kind::kNoSpace, .fail_call = call, .for_ever = true});
    const std::string text = written_by(env, 40);
    EXPECT_FALSE(text.ends_with("{\"steps\":40}\n"));
    ASSERT_EQ(warnings().size(), 1u) << "once, not with every step";
    EXPECT_NE(warnings()[0].find("the trace ends before step"), std::string::npos) << warnings()[0];
    EXPECT_EQ(warnings()[0].find("before step 40:"), std::string::npos) << "with the first piece";
    EXPECT_NE(warnings()[0].find("No space left"), std::string::npos) << warnings()[0];
  }
  set_log_sink(before);
}

}  // namespace
}  // namespace strata::engine
