// One queue; whoever takes a state makes its mask.
#include "engine/mask_ahead.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/thread_name.h"

namespace strata::engine {
namespace {

// A mask of a hostile grammar may take 6 MB for its while: not on each of a hundred threads.
constexpr int64_t kMakers = 4;

}  // namespace

Result<std::unique_ptr<MaskAhead>> MaskAhead::create() {
  std::unique_ptr<MaskAhead> made(new MaskAhead());
  try {  // std::thread throws when the system refuses one
    made->thread_ = std::thread([masks = made.get()] { masks->run(); });
    name_thread(made->thread_, "strata-masks");
  } catch (const std::system_error& error) {
    return fail(Code::kResourceLimit, "a thread for masks", error.what());
  }
  return made;
}

MaskAhead::~MaskAhead() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void MaskAhead::start(std::vector<sampling::DecodeState*> states) {
  if (states.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    CHECK(states_.empty() && !busy_, "finish() comes before the next start()");
    states_ = std::move(states);
  }
  changed_.notify_all();
}

sampling::DecodeState* MaskAhead::take() {
  if (states_.empty()) return nullptr;
  sampling::DecodeState* taken = states_.back();
  states_.pop_back();
  return taken;
}

void MaskAhead::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !states_.empty(); });
    if (ending_) return;
    while (sampling::DecodeState* state = take()) {
      busy_ = true;
      lock.unlock();
      state->prepare_mask();
      lock.lock();
      busy_ = false;
    }
    changed_.notify_all();
  }
}

void MaskAhead::finish(ComputePool& pool) {
  std::unique_lock lock(mutex_);
  const std::vector<sampling::DecodeState*> rest = std::exchange(states_, {});
  lock.unlock();
  if (!rest.empty()) {
    std::atomic<size_t> next = 0;
    pool.run(std::min<int64_t>(kMakers, static_cast<int64_t>(rest.size())), [&](int64_t, int) {
      for (size_t at; (at = next.fetch_add(1)) < rest.size();) rest[at]->prepare_mask();
    });
  }
  lock.lock();
  changed_.wait(lock, [this] { return !busy_; });
}

}  // namespace strata::engine
