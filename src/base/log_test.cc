// Levels, sinks, and that what is quoted from files cannot steer a terminal.
#include "base/log.h"

#include <gtest/gtest.h>

#include <vector>

namespace strata {
namespace {

std::vector<std::string>& lines() {
  static std::vector<std::string> kept;
  return kept;
}

TEST(Log, PassesWholeLinesOfItsLevelToTheSink) {
  const LogSink before =
      set_log_sink([](LogLevel, std::string_view line) { lines().emplace_back(line); });
  log_info("{} of {}", 1, 2);
  set_log_level(LogLevel::kWarning);
  log_info("dropped");
  log_warning("kept");
  set_log_level(LogLevel::kInfo);
  set_log_sink(before);
  EXPECT_EQ(lines(), (std::vector<std::string>{"1 of 2", "kept"}));
}

TEST(Log, EscapesControlCharacters) {
  testing::internal::CaptureStderr();
  log_warning("name \x1b[2J\nnext");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "warning: name \\x1b[2J\\x0anext\n");
}

}  // namespace
}  // namespace strata
