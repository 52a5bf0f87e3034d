// See stream.h.
#include "model/stream.h"

#include <utility>

#include "model/folder_source.h"
#include "model/pack_source.h"

namespace strata::model {
namespace {

// What was read through the page cache is charged to this process until it is dropped.
void drop_cached(const checkpoint::Checkpoint& checkpoint) {
  for (size_t file = 0; file < checkpoint.file_count(); file++) {
    checkpoint.file(file).drop_cached(0, checkpoint.file(file).size());
  }
}

Result<void> load_residents(const StreamSetup& setup, const StreamedUnits& units,
                            const LoadOptions& options) {
  memory::WeightStore& store = *units.store;
  if (units.source->ready_made()) {
    return store.read_residents(setup.env, [&](int64_t bytes) {
      if (options.progress) options.progress(bytes, store.resident_bytes());
    });
  }
  std::vector<UnitPlace> places;
  for (size_t unit = 0; unit < setup.plan.cut.units.size(); unit++) {
    if (!store.resident(unit)) continue;
    places.push_back({&setup.plan.cut.units[unit], store.resident_place(unit)});
  }
  TRY(load_units(*setup.files.checkpoint, setup.plan, places, setup.pool, options));
  drop_cached(*setup.files.checkpoint);
  return {};
}

}  // namespace

Result<std::unique_ptr<const memory::UnitSource>> make_unit_source(
    const StreamSetup& setup, const std::string& folder, void (*pack)(const tensor::PackArgs&)) {
  if (setup.files.pack != nullptr) return std::make_unique<const PackSource>(*setup.files.pack);
  return std::make_unique<const FolderSource>(TRY(FolderSource::create(
      setup.env, folder, *setup.files.checkpoint, setup.plan, setup.pool, pack)));
}

Result<Weights> stream_weights(const StreamSetup& setup,
                               std::unique_ptr<const memory::UnitSource> source,
                               memory::StoreConfig config, const LoadOptions& options) {
  Weights weights;
  weights.kind = setup.plan.kind;
  weights.layers.resize(setup.spec.layers.size());
  weights.streamed = std::make_unique<StreamedUnits>();
  StreamedUnits& units = *weights.streamed;
  units.plan = &setup.plan;
  units.source = std::move(source);
  units.store = TRY(
      memory::WeightStore::create(setup.device, setup.account, *units.source, std::move(config)));
  TRY(load_residents(setup, units, options));
  for (size_t unit = 0; unit < setup.plan.cut.units.size(); unit++) {
    if (!units.store->resident(unit)) continue;
    bind_unit(weights, setup.plan, setup.plan.cut.units[unit], units.store->resident_place(unit));
  }
  TRY(units.store->start_streaming(setup.env));
  return weights;
}

Result<memory::Lease> lease_unit(Weights& weights, size_t unit, const memory::StopCheck& stop) {
  if (weights.streamed == nullptr || weights.streamed->store->resident(unit))
    return memory::Lease();
  StreamedUnits& units = *weights.streamed;
  memory::Lease lease = TRY(units.store->lease(unit, stop));
  bind_unit(weights, *units.plan, units.plan->cut.units[unit], lease.data());
  return lease;
}

}  // namespace strata::model
