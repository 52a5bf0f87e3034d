// Level, sink and the default sink. Control characters are escaped: lines quote names out of files.
#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <mutex>

namespace strata {
namespace {

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

void to_stderr(LogLevel level, std::string_view line) {
  const std::string_view prefix = level == LogLevel::kError     ? "error: "
                                  : level == LogLevel::kWarning ? "warning: "
                                                                : "";
  write_log(std::string(prefix) + printable(line));
}

constexpr int kPatienceMs = 100;

// Threads take turns, or two would find the same room. What follows it is its.
std::mutex g_writing;
// Lines dropped since standard error last took one.
uint64_t g_dropped = 0;

// Standard error takes PIPE_BUF bytes without waiting, as a pipe that poll calls writable does.
bool takes_more(int wait_ms) {
  pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&standard_error, 1, wait_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// False where nobody took all of it in time. With lines dropped before it there is no patience
// left.
bool put(std::string_view left) {
  while (!left.empty()) {
    if (!takes_more(g_dropped == 0 ? kPatienceMs : 0)) return false;
    // One write, so that lines of several processes do not mix. Nothing can be done where it fails.
    const ssize_t written =
        ::write(STDERR_FILENO, left.data(), std::min<size_t>(left.size(), PIPE_BUF));
    if (written <= 0) return true;
    left.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::atomic<LogSink> g_sink{to_stderr};
std::atomic<LogLevel> g_level{LogLevel::kInfo};

}  // namespace

void write_log(std::string_view line) {
  const std::lock_guard lock(g_writing);
  if (g_dropped > 0 &&
      put(fmt::format("warning: {} lines of the log were dropped: nobody read standard error\n",
                      g_dropped))) {
    g_dropped = 0;
  }
  if (!put(std::string(line) + '\n')) g_dropped++;
}

LogSink set_log_sink(LogSink sink) { return g_sink.exchange(sink); }

void set_log_level(LogLevel level) { g_level = level; }

void log_line(LogLevel level, std::string_view line) {
  if (level >= g_level.load()) g_sink.load()(level, line);
}

}  // namespace strata
