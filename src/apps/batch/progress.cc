// Time left comes from bytes of the input: the rows of a file of any size are not counted first.
#include "apps/batch/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/log.h"

namespace strata::apps {
namespace {

constexpr int64_t kRedrawNs = 200'000'000;
constexpr int64_t kLineNs = 10'000'000'000;

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::min(seconds, 1e9)));
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

BatchProgress::BatchProgress(Env& env, uint64_t file_bytes)
    : env_(env),
      file_bytes_(std::max<uint64_t>(1, file_bytes)),
      start_ns_(env.now_ns()),
      terminal_(::isatty(STDERR_FILENO) == 1),
      next_ns_(start_ns_ + (terminal_ ? kRedrawNs : kLineNs)) {}

double BatchProgress::seconds() const {
  return std::max(1e-9, static_cast<double>(env_.now_ns() - start_ns_) * 1e-9);
}

void BatchProgress::show(const BatchCounts& counts, int64_t running) {
  if (env_.now_ns() < next_ns_) return;
  next_ns_ = env_.now_ns() + (terminal_ ? kRedrawNs : kLineNs);
  const uint64_t gone = counts.done_bytes + counts.earlier_bytes;
  const double share = static_cast<double>(gone) / static_cast<double>(file_bytes_);
  const double left = static_cast<double>(file_bytes_ - std::min(gone, file_bytes_)) /
                      static_cast<double>(counts.done_bytes) * seconds();
  const std::string line = fmt::format(
      "{} rows, {:.1f} % of the file, {} errors; {} running, {:.1f} tokens/s, {} left", counts.rows,
      100 * share, counts.errors, running, static_cast<double>(counts.generated_tokens) / seconds(),
      counts.done_bytes > 0 ? format_duration(left) : "?");
  if (!terminal_) {
    log_info("{}", line);
    return;
  }
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
}

void BatchProgress::finish(const BatchCounts& counts) {
  if (terminal_) fmt::print(stderr, "\r\x1b[K");
  log_info(
      "{} rows in {}: {} answered, {} errors; {} prompt tokens, {} generated, "
      "{:.1f} tokens/s",
      counts.rows, format_duration(seconds()), counts.rows - counts.errors, counts.errors,
      counts.prompt_tokens, counts.generated_tokens,
      static_cast<double>(counts.generated_tokens) / seconds());
}

}  // namespace strata::apps
