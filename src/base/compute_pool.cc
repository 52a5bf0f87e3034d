// Threads, claiming and sleeping of the compute pool. No knowledge of what an item does.
#include "base/compute_pool.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/thread_name.h"

namespace strata {
namespace {

inline void cpu_relax() {
#if defined(__aarch64__)
  asm volatile("yield");
#else
  __builtin_ia32_pause();
#endif
}

// Cores this thread may run on, so that pinning respects cpusets and taskset.
std::vector<int> allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; core++) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

// Best effort: a core that the system forbids in the meantime only costs speed.
void pin_to(pthread_t thread, std::span<const int> cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  pthread_setaffinity_np(thread, sizeof set, &set);
}

}  // namespace

struct ComputePool::State {
  // A generation is one run(). Workers wait for the number to change; each cache line has one
  // writer at a time.
  alignas(64) std::atomic<uint32_t> generation{0};
  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<int> busy{0};
  alignas(64) std::atomic<bool> spinning{false};
  std::atomic<bool> stop{false};
  int64_t items = 0;
  ItemFn fn = nullptr;
  void* context = nullptr;
  std::vector<std::thread> workers;
  std::vector<int> cores;  // one per thread where there are enough, else empty: nothing is pinned

  void claim(int thread) {
    for (int64_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < items;) {
      fn(context, item, thread);
    }
  }

  void work(int thread) {
    uint32_t seen = 0;
    for (;;) {
      for (uint32_t now; (now = generation.load(std::memory_order_acquire)) == seen;) {
        if (spinning.load(std::memory_order_relaxed)) {
          cpu_relax();
        } else {
          generation.wait(now, std::memory_order_acquire);
        }
      }
      seen = generation.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_relaxed)) return;
      if (fn != nullptr) claim(thread);
      busy.fetch_sub(1, std::memory_order_release);
    }
  }

  void wait_idle() {
    // A worker that lost its core to another process is waited for without burning the core it
    // needs.
    for (int spins = 0; busy.load(std::memory_order_acquire) != 0;) {
      if (++spins < 4096) {
        cpu_relax();
      } else {
        sched_yield();
      }
    }
  }

  void publish(int64_t count, ItemFn item_fn, void* item_context) {
    items = count;
    fn = item_fn;
    context = item_context;
    next.store(0, std::memory_order_relaxed);
    busy.store(static_cast<int>(workers.size()), std::memory_order_relaxed);
    generation.fetch_add(1, std::memory_order_release);
    generation.notify_all();
  }
};

ComputePool::ComputePool(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<ComputePool>> ComputePool::create(int threads) {
  if (threads < 1 || threads > 1024) {
    return fail(Code::kInvalidArgument, "--threads", std::to_string(threads),
                "a number in 1..1024");
  }
  auto state = std::make_unique<State>();
  state->cores = allowed_cores();
  if (threads == 1 || state->cores.size() < static_cast<size_t>(threads)) state->cores.clear();
  try {  // std::thread throws when the system refuses one
    for (int t = 1; t < threads; t++) {
      state->workers.emplace_back([raw = state.get(), t] { raw->work(t); });
      name_thread(state->workers.back(), "strata-compute");
      if (!state->cores.empty()) {
        pin_to(state->workers.back().native_handle(), {&state->cores[static_cast<size_t>(t)], 1});
      }
    }
  } catch (const std::system_error& error) {
    const std::unique_ptr<ComputePool> cleanup(new ComputePool(std::move(state)));
    return fail(Code::kResourceLimit, "starting compute threads", error.what(), {},
                "lower --threads");
  }
  return std::unique_ptr<ComputePool>(new ComputePool(std::move(state)));
}

ComputePool::~ComputePool() {
  state_->stop.store(true, std::memory_order_relaxed);
  state_->generation.fetch_add(1, std::memory_order_release);
  state_->generation.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

int ComputePool::threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ComputePool::run(int64_t items, ItemFn fn, void* context) {
  if (items <= 0) return;
  if (items == 1 || state_->workers.empty()) {
    for (int64_t item = 0; item < items; item++) fn(context, item, 0);
    return;
  }
  state_->publish(items, fn, context);
  state_->claim(0);
  state_->wait_idle();
}

// The caller is pinned for the length of a step only: threads that it starts between steps inherit
// its cores, and must not all inherit one.
void ComputePool::begin_step() {
  if (!state_->cores.empty()) pin_to(pthread_self(), {state_->cores.data(), 1});
  state_->spinning.store(true, std::memory_order_relaxed);
  if (!state_->workers.empty()) {
    state_->publish(0, nullptr, nullptr);  // wakes the sleepers into their spin
    state_->wait_idle();
  }
}

bool ComputePool::in_step() const { return state_->spinning.load(std::memory_order_relaxed); }

void ComputePool::end_step() {
  state_->spinning.store(false, std::memory_order_relaxed);
  if (!state_->cores.empty()) pin_to(pthread_self(), state_->cores);
}

}  // namespace strata
