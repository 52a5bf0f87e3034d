// One-line messages to standard error: what the program tells its user beside results. A thin
// wrapper of our own, because base cross-compiles without system libraries; a server's log sinks
// attach to set_log_sink().
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

namespace strata {

enum class LogLevel : unsigned char { kDebug, kInfo, kWarning, kError };

/// Receives whole lines without a newline; must be safe to call from many threads.
using LogSink = void (*)(LogLevel level, std::string_view line);

/// Replaces where lines go (default: standard error, warnings and errors prefixed). Returns the
/// sink before.
LogSink set_log_sink(LogSink sink);
/// Lines below this level are dropped (default kInfo).
void set_log_level(LogLevel level);

void log_line(LogLevel level, std::string_view line);

/// Writes a finished line and a newline to standard error, for sinks. Never waits long for a
/// reader: where a pipe or terminal takes nothing for a tenth of a second, this line and those
/// after it are dropped, until it takes some again; a warning then says how many were.
void write_log(std::string_view line);

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace strata
