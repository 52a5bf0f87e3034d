// Level, sink and the default sink. Control characters are escaped: lines quote names out of files.
#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

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

// Lines dropped since standard error last took one.
std::atomic<uint64_t> g_dropped{0};

// Standard error takes PIPE_BUF bytes without waiting, as a pipe that poll calls writable does.
bool takes_more(int wait_ms) {
  pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&standard_error, 1, wait_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

std::atomic<LogSink> g_sink{to_stderr};
std::atomic<LogLevel> g_level{LogLevel::kInfo};

}  // namespace

void write_log(std::string_view line) {
  std::string text(line);
  text += '\n';
  std::string_view left = text;
  while (!left.empty()) {
    if (!takes_more(g_dropped.load() == 0 ? kPatienceMs : 0)) {
      ++g_dropped;
      return;
    }
    if (const uint64_t dropped = g_dropped.exchange(0); dropped > 0) {
      log_warning("{} lines of the log were dropped: nobody read standard error", dropped);
      continue;  // the warning may have filled it again
    }
    // One write, so that lines of several threads or processes do not mix. Nothing can be done
    // where it fails.
    const ssize_t written =
        ::write(STDERR_FILENO, left.data(), std::min<size_t>(left.size(), PIPE_BUF));
    if (written <= 0) return;
    left.remove_prefix(static_cast<size_t>(written));
  }
}

LogSink set_log_sink(LogSink sink) { return g_sink.exchange(sink); }

void set_log_level(LogLevel level) { g_level = level; }

void log_line(LogLevel level, std::string_view line) {
  if (level >= g_level.load()) g_sink.load()(level, line);
}

}  // namespace strata
