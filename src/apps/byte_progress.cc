// To standard error, like everything that is no result.
#include "apps/byte_progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "apps/batch/progress.h"
#include "base/log.h"
#include "memory/account.h"

namespace strata::apps {
namespace {

using memory::format_bytes;

constexpr int64_t kRedrawNs = 200'000'000;
constexpr int64_t kLineNs = 10'000'000'000;

double seconds_since(Env& env, int64_t from_ns) {
  return std::max(1e-9, static_cast<double>(env.now_ns() - from_ns) * 1e-9);
}

}  // namespace

ByteProgress::ByteProgress(Env& env)
    : env_(env),
      start_ns_(env.now_ns()),
      written_from_ns_(start_ns_),
      terminal_(::isatty(STDERR_FILENO) == 1) {}

void ByteProgress::show(int64_t done, int64_t kept, int64_t total) {
  if (kept == done) written_from_ns_ = env_.now_ns();  // an earlier run's are being checked
  if (env_.now_ns() < next_ns_) return;
  next_ns_ = env_.now_ns() + (terminal_ ? kRedrawNs : kLineNs);
  const double rate = rate_of(done - kept);
  const std::string left =
      rate > 0 ? format_duration(static_cast<double>(total - done) / rate) : "?";
  const std::string line = fmt::format("{} of {}, {:.2f} GB/s, {} left", format_bytes(done),
                                       format_bytes(total), rate * 1e-9, left);
  if (!terminal_) return log_info("{}", line);
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
}

void ByteProgress::finish() const {
  if (terminal_) fmt::print(stderr, "\r\x1b[K");
}

double ByteProgress::seconds() const { return seconds_since(env_, start_ns_); }

double ByteProgress::rate_of(int64_t bytes) const {
  return static_cast<double>(bytes) / seconds_since(env_, written_from_ns_);
}

}  // namespace strata::apps
