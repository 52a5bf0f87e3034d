// The loading half of weights.h: threads claim runs of rows (relay.h), read them into a small
// staging buffer that stays in their L2 cache, and pack from there into the final place. Memory is
// touched once; the kernel's zeroing of each huge page is the only other pass over it.
#include <algorithm>
#include <tuple>

#include "base/compute_pool.h"
#include "model/load/load_pack.h"
#include "model/load/load_progress.h"
#include "model/relay.h"
#include "model/weights.h"

namespace strata::model {
namespace {

using checkpoint::Checkpoint;

int64_t source_bytes(const std::vector<RunPlace>& places) {
  int64_t total = 0;
  for (const RunPlace& place : places) total += static_cast<int64_t>(place.run.source_bytes());
  return total;
}

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, tensor::ProductKind kind, const LoadOptions& options,
         std::vector<RunPlace> places)
      : checkpoint_(checkpoint),
        kind_(kind),
        options_(options),
        places_(std::move(places)),
        progress_(options.progress, source_bytes(places_)) {
    std::ranges::stable_sort(places_, {}, [](const RunPlace& place) {
      const checkpoint::TensorEntry& entry = *place.run.item->entry;
      return std::tuple(entry.file, entry.offset, place.run.first_row);
    });
  }

  Result<void> run(ComputePool& pool) {
    staging_.resize(static_cast<size_t>(pool.threads()));
    pool.run(static_cast<int64_t>(places_.size()), [&](int64_t place, int thread) {
      load(places_[static_cast<size_t>(place)], staging_[static_cast<size_t>(thread)]);
    });
    return progress_.finish();
  }

 private:
  void load(const RunPlace& place, std::vector<std::byte>& staging) {
    if (progress_.stopped()) return;
    const size_t size = place.run.source_bytes();
    if (staging.size() < size) staging.resize(size);
    const auto read = checkpoint_.read(*place.run.item->entry, place.run.source_offset(),
                                       std::span(staging).first(size));
    if (!read) return progress_.stop(read.error());
    const auto laid = lay_rows(place.run, kind_, staging.data(), place.to, options_.pack);
    if (!laid) return progress_.stop(laid.error());
    progress_.add(static_cast<int64_t>(size));
  }

  const Checkpoint& checkpoint_;
  tensor::ProductKind kind_;
  const LoadOptions& options_;
  std::vector<RunPlace> places_;
  std::vector<std::vector<std::byte>> staging_;  // one per thread
  LoadProgress progress_;
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
                             const WeightFiles& files, const WeightPlan& plan,
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
  if (files.pack != nullptr) {
    TRY(load_pack_units(*files.pack, plan, places, *pool, options));
  } else {
    TRY(load_units(*files.checkpoint, plan, places, *pool, options));
  }
  return weights;
}

}  // namespace strata::model
