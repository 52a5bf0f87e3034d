// The progress line while weights are read: a bar that is redrawn on a terminal, one closing line
// elsewhere.
#pragma once

#include <cstdint>

#include "base/env.h"

namespace strata::apps {

/// show() may come from loading threads, but never from two at once.
class LoadProgress {
 public:
  LoadProgress(Env& env, int64_t total_bytes);
  void show(int64_t done_bytes);
  void finish();

 private:
  double seconds() const;

  Env& env_;
  int64_t total_bytes_;
  int64_t start_ns_;
  bool terminal_;
  int64_t next_redraw_ns_ = 0;
};

}  // namespace strata::apps
