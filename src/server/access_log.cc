// Two shapes of one entry. JSON escapes what a terminal would obey; text lines are escaped where
// they are written (base/log.h).
#include "server/access_log.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <chrono>

#include "base/json.h"

namespace strata::server {
namespace {

constexpr size_t kMaxPath = 1024;

std::string now() {
  const auto time =
      std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", time);
}

std::string dumped(const Json& line) {
  return line.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace

std::string access_line(const AccessEntry& entry, LogFormat format) {
  const std::string path = entry.path.substr(0, kMaxPath);
  if (format == LogFormat::kText) {
    return fmt::format("{} \"{} {}\" {} {} bytes {:.1f} ms {}", entry.peer, entry.method, path,
                       entry.status, entry.sent_bytes, entry.milliseconds, entry.request_id);
  }
  return dumped({{"time", now()},
                 {"level", "info"},
                 {"message", "request"},
                 {"peer", entry.peer},
                 {"method", entry.method},
                 {"path", path},
                 {"status", entry.status},
                 {"bytes", entry.sent_bytes},
                 {"ms", entry.milliseconds},
                 {"request_id", entry.request_id}});
}

std::string message_line(std::string_view level, std::string_view message) {
  return dumped({{"time", now()}, {"level", level}, {"message", message}});
}

}  // namespace strata::server
