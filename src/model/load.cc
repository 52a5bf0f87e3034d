// The loading half of weights.h: threads claim runs of rows (relay.h), read them into a small
// staging buffer that stays in their L2 cache, and pack from there into the final place. Memory is
// touched once; the kernel's zeroing of each huge page is the only other pass over it.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <tuple>

#include "base/compute_pool.h"
#include "model/relay.h"
#include "model/weights.h"

namespace strata::model {
namespace {

using checkpoint::Checkpoint;

// The progress callback runs at most once for so many bytes.
constexpr int64_t kProgressBytes = 32 << 20;

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, tensor::ProductKind kind, const LoadOptions& options,
         std::vector<RunPlace> places)
      : checkpoint_(checkpoint), kind_(kind), options_(options), places_(std::move(places)) {
    std::ranges::stable_sort(places_, {}, [](const RunPlace& place) {
      const checkpoint::TensorEntry& entry = *place.run.item->entry;
      return std::tuple(entry.file, entry.offset, place.run.first_row);
    });
    for (const RunPlace& place : places_) total_ += static_cast<int64_t>(place.run.source_bytes());
  }

  Result<void> run(ComputePool& pool) {
    staging_.resize(static_cast<size_t>(pool.threads()));
    pool.run(static_cast<int64_t>(places_.size()), [&](int64_t place, int thread) {
      load(places_[static_cast<size_t>(place)], staging_[static_cast<size_t>(thread)]);
    });
    if (failure_) return std::unexpected(std::move(*failure_));
    report(total_);
    return {};
  }

 private:
  void load(const RunPlace& place, std::vector<std::byte>& staging) {
    if (stop_.load(std::memory_order_relaxed)) return;
    const RowRun& run = place.run;
    const size_t size = run.source_bytes();
    if (staging.size() < size) staging.resize(size);
    const auto read =
        checkpoint_.read(*run.item->entry, run.source_offset(), std::span(staging).first(size));
    if (!read) return stop(read.error());
    const auto laid = lay_rows(run, kind_, staging.data(), place.to, options_.pack);
    if (!laid) return stop(laid.error());
    const int64_t done = done_.fetch_add(static_cast<int64_t>(size)) + static_cast<int64_t>(size);
    const bool due = done / kProgressBytes != (done - static_cast<int64_t>(size)) / kProgressBytes;
    if (due) report(done);
  }

  void stop(const Status& status) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = status;
    stop_ = true;
  }

  void report(int64_t done) {
    if (!options_.progress) return;
    const std::lock_guard lock(mutex_);
    reported_ = std::max(reported_, done);  // two threads may arrive here in either order
    options_.progress(reported_, total_);
  }

  const Checkpoint& checkpoint_;
  tensor::ProductKind kind_;
  const LoadOptions& options_;
  std::vector<RunPlace> places_;
  int64_t total_ = 0;
  std::vector<std::vector<std::byte>> staging_;  // one per thread
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> done_ = 0;
  std::mutex mutex_;
  int64_t reported_ = 0;
  std::optional<Status> failure_;
};

}  // namespace

Result<void> load_runs(const Checkpoint& checkpoint, tensor::ProductKind kind,
                       std::vector<RunPlace> places, ComputePool& pool,
                       const LoadOptions& options) {
  return Loader(checkpoint, kind, options, std::move(places)).run(pool);
}

Result<void> load_units(const Checkpoint& checkpoint, const WeightPlan& plan,
                        std::span<const UnitPlace> places, ComputePool& pool,
                        const LoadOptions& options) {
  std::vector<RunPlace> runs;
  for (const UnitPlace& place : places) {
    for (const RowRun& run : cut_runs(plan, *place.unit, kStagingBytes)) {
      runs.push_back({run, place.base + run.offset});
    }
  }
  return load_runs(checkpoint, plan.kind, std::move(runs), pool, options);
}

Result<Weights> load_weights(device::Device& device, const ModelSpec& spec,
                             const Checkpoint& checkpoint, const WeightPlan& plan,
                             const LoadOptions& options) {
  Weights weights;
  weights.kind = plan.kind;
  weights.layers.resize(spec.layers.size());
  weights.memory = TRY(device.allocate(plan.memory_bytes));
  const auto pool = TRY(ComputePool::create(options.threads));
  std::vector<UnitPlace> places;
  for (const WeightUnit& unit : plan.cut.units) {
    places.push_back({&unit, weights.memory.data() + unit.offset});
    bind_unit(weights, plan, unit, places.back().base);
  }
  TRY(load_units(checkpoint, plan, places, *pool, options));
  return weights;
}

}  // namespace strata::model
