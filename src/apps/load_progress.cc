// Everything goes to standard error: results have standard output for themselves.
#include "apps/load_progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "memory/account.h"

namespace strata::apps {
namespace {

constexpr int kBarCells = 30;
constexpr int64_t kRedrawNs = 100'000'000;

}  // namespace

LoadProgress::LoadProgress(Env& env, int64_t total_bytes)
    : env_(env),
      total_bytes_(std::max<int64_t>(1, total_bytes)),
      start_ns_(env.now_ns()),
      terminal_(::isatty(STDERR_FILENO) == 1) {}

double LoadProgress::seconds() const {
  return std::max(1e-9, static_cast<double>(env_.now_ns() - start_ns_) * 1e-9);
}

void LoadProgress::show(int64_t done_bytes) {
  if (!terminal_ || env_.now_ns() < next_redraw_ns_) return;
  next_redraw_ns_ = env_.now_ns() + kRedrawNs;
  const auto full = static_cast<size_t>(kBarCells * done_bytes / total_bytes_);
  const std::string bar = std::string(full, '#') + std::string(kBarCells - full, '.');
  fmt::print(stderr, "\rloading [{}] {} of {}, {:.2f} GB/s ", bar, memory::format_bytes(done_bytes),
             memory::format_bytes(total_bytes_),
             static_cast<double>(done_bytes) / seconds() * 1e-9);
  std::fflush(stderr);
}

void LoadProgress::finish() {
  if (terminal_) fmt::print(stderr, "\r\x1b[K");
  const double took = seconds();
  log_info("loaded {} in {:.2f} s, {:.2f} GB/s", memory::format_bytes(total_bytes_), took,
           static_cast<double>(total_bytes_) / took * 1e-9);
}

}  // namespace strata::apps
