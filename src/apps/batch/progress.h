// How far a batch is: one line that is redrawn on a terminal, a line now and then elsewhere, and a
// closing one. Counts what it is told; it neither reads nor writes rows.
#pragma once

#include <cstdint>
#include <string>

#include "base/env.h"

namespace strata::apps {

struct BatchCounts {
  int64_t rows = 0;    // ended, in this run
  int64_t errors = 0;  // of these
  int64_t prompt_tokens = 0;
  int64_t generated_tokens = 0;
  uint64_t done_bytes = 0;     // of the input: rows that have ended
  uint64_t earlier_bytes = 0;  // rows that an earlier run answered
};

class BatchProgress {
 public:
  BatchProgress(Env& env, uint64_t file_bytes);
  /// Cheap where it is not yet time for a line.
  void show(const BatchCounts& counts, int64_t running);
  void finish(const BatchCounts& counts);

 private:
  double seconds() const;

  Env& env_;
  uint64_t file_bytes_;
  int64_t start_ns_;
  bool terminal_;
  int64_t next_ns_;
};

/// "0:07", "12:30", "3:05:00".
std::string format_duration(double seconds);

}  // namespace strata::apps
