// How far bytes that a command writes for long are: one line that is redrawn on a terminal, a line
// now and then elsewhere. Counts what it is told.
#pragma once

#include <cstdint>

#include "base/env.h"

namespace strata::apps {

/// Calls may come from several threads, but never from two at once.
class ByteProgress {
 public:
  explicit ByteProgress(Env& env);
  /// `kept`: of `done`, what an earlier run left; it does not count for the rate.
  void show(int64_t done, int64_t kept, int64_t total);
  /// Takes the line back.
  void finish() const;

  double seconds() const;               // since the start
  double rate_of(int64_t bytes) const;  // bytes/s, of those written since kept ones were looked at

 private:
  Env& env_;
  int64_t start_ns_;
  int64_t written_from_ns_;
  bool terminal_;
  int64_t next_ns_ = 0;
};

}  // namespace strata::apps
