// Pieces in file order, so that neighbours share reads; finishing claims runs of rows as loading
// does.
#include "model/folder_source.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>

#include "checkpoint/model_folder.h"
#include "model/relay.h"

namespace strata::model {
namespace {

// Source bytes that a thread lays at a time: they leave its L2 cache once.
constexpr int64_t kRunBytes = 256 << 10;

// Rows at an address that their type can be read from. Headers may have any length, so a tensor may
// start anywhere in its file.
class AlignedRows {
 public:
  AlignedRows(std::span<const std::byte> rows, size_t alignment) : data_(rows.data()) {
    if (reinterpret_cast<uintptr_t>(data_) % alignment == 0) return;
    copy_.assign(rows.begin(), rows.end());
    data_ = copy_.data();
  }
  const std::byte* data() const { return data_; }

 private:
  std::vector<std::byte> copy_;
  const std::byte* data_;
};

}  // namespace

Result<FolderSource> FolderSource::create(Env& env, const std::string& folder,
                                          const checkpoint::Checkpoint& checkpoint,
                                          const WeightPlan& plan, ComputePool& pool,
                                          void (*pack)(const tensor::PackArgs&)) {
  FolderSource source(plan, pool, pack);
  for (size_t file = 0; file < checkpoint.file_count(); file++) {
    source.paths_.push_back(
        TRY(checkpoint::path_in_folder(env, folder, checkpoint.file_name(file))));
  }
  for (const WeightUnit& unit : plan.cut.units) source.add_unit(unit);
  source.add_head_parts();
  return source;
}

void FolderSource::add_unit(const WeightUnit& unit) {
  std::vector<const WeightPlan::Item*> items;
  for (const UnitItem& item : unit.items) items.push_back(&plan_->items[item.tensor]);
  std::ranges::sort(items, {}, [](const WeightPlan::Item* item) {
    return std::pair(item->entry->file, item->entry->offset);
  });
  memory::StoredUnit stored{.name = unit.name, .bytes = unit.bytes};
  for (const WeightPlan::Item* item : items) {
    stored.pieces.push_back(
        {item->entry->file, item->entry->offset, static_cast<int64_t>(item->entry->bytes)});
  }
  if (unit.kind == UnitKind::kEmbedding) {  // its rows are gathered
    stored.parts = 0;
    units_.push_back(std::move(stored));
    return;
  }
  units_.push_back(stored);
  parts_.push_back(std::move(stored));
  layings_.push_back({.unit = &unit, .items = std::move(items)});
}

// In place of the head as a whole: each part is rows of its matrix, since the final norm is in
// memory (stream.cc).
void FolderSource::add_head_parts() {
  parts_.pop_back();
  layings_.pop_back();
  const WeightUnit& unit = plan_->cut.units.back();
  const WeightPlan::Item& item = plan_->items[head_matrix(*plan_).tensor];
  units_.back().parts = plan_->cut.head_parts.size();
  for (const HeadPart& part : plan_->cut.head_parts) {
    const RowRun whole{.item = &item, .first_row = part.first_row, .rows = part.rows};
    parts_.push_back({.name = unit.name,
                      .pieces = {{item.entry->file, item.entry->offset + whole.source_offset(),
                                  static_cast<int64_t>(whole.source_bytes())}},
                      .bytes = part.bytes});
    layings_.push_back({.unit = &unit, .rows = &part, .items = {&item}});
  }
}

// Offsets count from the part.
std::vector<RowRun> FolderSource::runs_of(const Laying& laying) const {
  if (laying.rows == nullptr) return cut_runs(*plan_, *laying.unit, kRunBytes);
  const HeadPart& part = *laying.rows;
  std::vector<RowRun> runs =
      cut_row_runs(*plan_, head_matrix(*plan_), part.first_row, part.rows, kRunBytes);
  for (RowRun& run : runs) run.offset -= part.offset;
  return runs;
}

Result<void> FolderSource::finish(size_t part, memory::RawUnit raw,
                                  std::span<std::byte> out) const {
  const Laying& laying = layings_[part];
  const std::vector<RowRun> runs = runs_of(laying);
  // A part's one piece begins with its first row, any other with its tensor's.
  const uint64_t left_out = laying.rows != nullptr ? runs.front().source_offset() : 0;
  std::mutex mutex;
  std::optional<Status> failure;
  pool_->run(static_cast<int64_t>(runs.size()), [&](int64_t i, int) {
    const RowRun& run = runs[static_cast<size_t>(i)];
    const auto piece =
        static_cast<size_t>(std::ranges::find(laying.items, run.item) - laying.items.begin());
    const AlignedRows rows(raw[piece].subspan(run.source_offset() - left_out, run.source_bytes()),
                           tensor::dtype_bytes(run.item->entry->dtype));
    const auto laid = lay_rows(run, plan_->kind, rows.data(), out.data() + run.offset, pack_);
    if (laid) return;
    const std::lock_guard lock(mutex);
    failure = laid.error();
  });
  if (failure) return std::unexpected(std::move(*failure));
  return {};
}

}  // namespace strata::model
