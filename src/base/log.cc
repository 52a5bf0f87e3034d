// Level, sink and the default sink. Control characters are escaped: lines quote names out of files.
#include "base/log.h"

#include <unistd.h>

#include <atomic>

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
  const std::string text = std::string(prefix) + printable(line) + "\n";
  // One write, so that lines of several threads or processes do not mix. Nothing can be done where
  // it fails.
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

std::atomic<LogSink> g_sink{to_stderr};
std::atomic<LogLevel> g_level{LogLevel::kInfo};

}  // namespace

LogSink set_log_sink(LogSink sink) { return g_sink.exchange(sink); }

void set_log_level(LogLevel level) { g_level = level; }

void log_line(LogLevel level, std::string_view line) {
  if (level >= g_level.load()) g_sink.load()(level, line);
}

}  // namespace strata
