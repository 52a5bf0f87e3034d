// Levels, sinks, and that what is quoted from files cannot steer a terminal.
#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
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

// Standard error as a small pipe until the end of the test.
class PipeAsStandardError {
 public:
  PipeAsStandardError() : kept_(::dup(STDERR_FILENO)) {
    EXPECT_EQ(::pipe2(ends_, O_NONBLOCK), 0);
    EXPECT_EQ(::fcntl(ends_[1], F_SETFL, 0), 0);
    EXPECT_GT(::fcntl(ends_[1], F_SETPIPE_SZ, 16384), 0);
    ::dup2(ends_[1], STDERR_FILENO);
  }
  PipeAsStandardError(const PipeAsStandardError&) = delete;
  PipeAsStandardError& operator=(const PipeAsStandardError&) = delete;
  ~PipeAsStandardError() {
    ::dup2(kept_, STDERR_FILENO);
    for (const int fd : {kept_, ends_[0], ends_[1]}) ::close(fd);
  }

  std::string read() {
    std::string all(1 << 16, '\0');
    all.resize(std::max<ssize_t>(0, ::read(ends_[0], all.data(), all.size())));
    return all;
  }

 private:
  int kept_;
  int ends_[2] = {};
};

TEST(Log, DropsLinesThatNobodyReadsAndSaysHowMany) {
  PipeAsStandardError pipe;
  for (int line = 0; line < 100; ++line) log_info("{:03} {}", line, std::string(200, 'x'));
  const std::string held = pipe.read();
  const auto kept = std::ranges::count(held, '\n');
  EXPECT_EQ(held, held.substr(0, static_cast<size_t>(kept) * 205)) << "whole lines";
  EXPECT_TRUE(held.starts_with("000 "));
  EXPECT_GE(kept, 1);
  log_info("again");
  EXPECT_EQ(pipe.read(), fmt::format("warning: {} lines of the log were dropped: nobody read "
                                     "standard error\nagain\n",
                                     100 - kept));
}

}  // namespace
}  // namespace strata
