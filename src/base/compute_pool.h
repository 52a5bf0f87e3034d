// The compute pool: one thread per core that executes work items claimed from one counter. The
// calling thread is worker 0. Items are fixed by shape, never by thread count, so who computes an
// item never changes its bits. Between begin_step() and end_step() the workers spin (waking a
// sleeping thread costs 25-45 us); between steps they sleep on a futex.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "base/status.h"

namespace strata {

class ComputePool {
 public:
  /// `threads` >= 1 counts the caller. Workers are pinned to the cores that the process may use, in
  /// order.
  static Result<std::unique_ptr<ComputePool>> create(int threads);
  ~ComputePool();  // joins the workers; only the creating thread may destroy the pool
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

  int threads() const;

  /// Runs fn(context, item, thread) for every item in [0, items); returns when all are done. One
  /// caller at a time.
  using ItemFn = void (*)(void* context, int64_t item, int thread);
  void run(int64_t items, ItemFn fn, void* context);

  /// The same for a callable f(item, thread). A single item, or a pool of one, runs on the caller
  /// without a hand-off.
  template <class F>
  void run(int64_t items, F&& f) {
    using Fn = std::remove_reference_t<F>;
    run(
        items,
        [](void* context, int64_t item, int thread) { (*static_cast<Fn*>(context))(item, thread); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

  /// While a step is open the workers spin for work.
  void begin_step();
  void end_step();
  bool in_step() const;

 private:
  struct State;
  explicit ComputePool(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Keeps the pool spinning for the length of a scope.
class SpinScope {
 public:
  explicit SpinScope(ComputePool& pool) : pool_(pool) { pool_.begin_step(); }
  ~SpinScope() { pool_.end_step(); }
  SpinScope(const SpinScope&) = delete;
  SpinScope& operator=(const SpinScope&) = delete;

 private:
  ComputePool& pool_;
};

/// Lets the pool sleep for the length of a scope, where it spins: its owner waits for something.
class SpinPause {
 public:
  explicit SpinPause(ComputePool& pool) : pool_(pool), spun_(pool.in_step()) {
    if (spun_) pool_.end_step();
  }
  ~SpinPause() {
    if (spun_) pool_.begin_step();
  }
  SpinPause(const SpinPause&) = delete;
  SpinPause& operator=(const SpinPause&) = delete;

 private:
  ComputePool& pool_;
  const bool spun_;
};

}  // namespace strata
