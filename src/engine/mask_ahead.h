// The masks of sequences with a grammar, made on a thread of its own while the engine's thread runs
// the model: a mask depends on committed tokens only. Between the batch and the draw of a step. It
// decides nothing, and samples nothing.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/compute_pool.h"
#include "base/status.h"
#include "sampling/decode_state.h"

namespace strata::engine {

/// start() and finish() in turn, from one thread. Its own sleeps while no sequence has a grammar.
class MaskAhead {
 public:
  /// Outside of a step: a thread inherits the cores of the one that starts it.
  static Result<std::unique_ptr<MaskAhead>> create();
  MaskAhead(const MaskAhead&) = delete;
  MaskAhead& operator=(const MaskAhead&) = delete;
  ~MaskAhead();

  /// Begins; the guides of these belong to it until finish().
  void start(std::vector<sampling::DecodeState*> states);
  /// Returns when all have their masks. What the thread has not begun, the pool's threads share.
  void finish(ComputePool& pool);

 private:
  MaskAhead() = default;
  void run();
  sampling::DecodeState* take();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<sampling::DecodeState*> states_;  // those not begun
  bool busy_ = false;                           // with one that it took
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace strata::engine
