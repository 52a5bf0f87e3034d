// A line for each answered request: who, what, how long; never what was asked. Between connections
// and standard error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strata::server {

struct AccessEntry {
  std::string peer;
  std::string method;
  std::string path;
  std::string request_id;
  int status = 0;
  int64_t sent_bytes = 0;
  double milliseconds = 0;
};

enum class LogFormat : uint8_t { kText, kJson };

/// One line without control characters, at most 4 KB.
std::string access_line(const AccessEntry& entry, LogFormat format);

/// Any other line of the log as JSON: {"time", "level", "message"}.
std::string message_line(std::string_view level, std::string_view message);

}  // namespace strata::server
