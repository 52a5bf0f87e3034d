// See stream.h.
#include "model/stream.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/embedding_rows.h"
#include "model/folder_source.h"
#include "model/pack_source.h"
#include "model/relay.h"

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

// A few KB that every pass wants before the first part of a streamed head.
Result<void> load_final_norm(const StreamSetup& setup, Weights& weights,
                             const LoadOptions& options) {
  const WeightUnit& unit = setup.plan.cut.units.back();
  const auto is_norm = [&](const UnitItem& item) {
    return setup.plan.items[item.tensor].spec->role == TensorRole::kFinalNorm;
  };
  const auto norm = std::ranges::find_if(unit.items, is_norm);
  CHECK(norm != unit.items.end(), "the final norm is in the last unit");
  const WeightPlan::Item& item = setup.plan.items[norm->tensor];
  std::vector<float>& values = weights.streamed->final_norm;
  values.resize(static_cast<size_t>(item.spec->rows));
  weights.final_norm = values.data();
  const std::span<std::byte> out = std::as_writable_bytes(std::span(values));
  if (const checkpoint::PackFile* pack = setup.files.pack) {
    const uint64_t offset = pack->units().back().offset + static_cast<uint64_t>(norm->offset);
    TRY(pack->file().read_at(offset, out));
    pack->file().drop_cached(offset, out.size());
    return {};
  }
  const RowRun run{.item = &item, .rows = item.spec->rows, .bytes = norm->bytes};
  return load_runs(*setup.files.checkpoint, setup.plan.kind, {{run, out.data()}}, setup.pool,
                   options);
}

}  // namespace

StreamedUnits::StreamedUnits() = default;
StreamedUnits::~StreamedUnits() = default;

Result<std::unique_ptr<const memory::UnitSource>> make_unit_source(
    const StreamSetup& setup, const std::string& folder, void (*pack)(const tensor::PackArgs&)) {
  if (setup.files.pack != nullptr) {
    return std::make_unique<const PackSource>(*setup.files.pack, setup.plan.cut);
  }
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
  const IoKind io = config.ring.io;
  units.plan = &setup.plan;
  units.source = std::move(source);
  units.store = TRY(
      memory::WeightStore::create(setup.device, setup.account, *units.source, std::move(config)));
  if (!units.store->resident(setup.plan.cut.units.size() - 1)) {
    TRY(load_final_norm(setup, weights, {.threads = options.threads, .pack = options.pack}));
  }
  TRY(load_residents(setup, units, options));
  for (size_t unit = 0; unit < setup.plan.cut.units.size(); unit++) {
    if (!units.store->resident(unit)) continue;
    bind_unit(weights, setup.plan, setup.plan.cut.units[unit], units.store->resident_place(unit));
  }
  if (!units.store->resident(embedding_unit(setup.plan))) {
    units.embedding = TRY(EmbeddingRows::create(setup, *units.source, options.pack, io));
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

size_t head_parts(const Weights& weights) {
  if (weights.streamed == nullptr) return 1;
  const StreamedUnits& units = *weights.streamed;
  const WeightPlan& plan = *units.plan;
  return units.store->resident(plan.cut.units.size() - 1) ? 1 : plan.cut.head_parts.size();
}

Result<LeasedHead> lease_head(const Weights& weights, size_t part, const memory::StopCheck& stop) {
  const size_t last = weights.streamed ? weights.streamed->plan->cut.units.size() - 1 : 0;
  if (weights.streamed == nullptr || weights.streamed->store->resident(last)) {
    return LeasedHead{.lease = {}, .matrix = weights.head};
  }
  const WeightPlan& plan = *weights.streamed->plan;
  memory::Lease lease = TRY(weights.streamed->store->lease(last, stop, part));
  const HeadPart& rows = plan.cut.head_parts[part];
  const WeightPlan::Item& head = plan.items[head_matrix(plan).tensor];
  const tensor::PackedMatrix matrix{lease.data() + rows.data, plan.kind, rows.rows, head.spec->cols,
                                    head.coded_panel_bytes};
  return LeasedHead{std::move(lease), matrix, rows.first_row};
}

}  // namespace strata::model
