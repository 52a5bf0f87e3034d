// A row becomes a panel by the function that lays whole tensors, and is looked up in it by the op
// that looks rows up in the whole table: there is no second way for its bits to come about.
#include "model/embedding_rows.h"

#include <algorithm>
#include <utility>

#include "model/relay.h"

namespace strata::model {
namespace {

constexpr int64_t kHugePage = 2 << 20;

const UnitItem& embedding_item(const WeightPlan& plan) {
  return plan.cut.units[embedding_unit(plan)].items.front();
}

bool is_folder(const WeightPlan& plan) {
  return plan.items[embedding_item(plan).tensor].entry != nullptr;
}

int64_t panel_bytes(const WeightPlan& plan) {
  const int64_t depth = plan.items[embedding_item(plan).tensor].spec->cols;
  return tensor::packed_elements(tensor::kPanel, depth) * tensor::element_bytes(plan.kind);
}

// What is read for a row, one behind the other in the file.
int64_t record_bytes(const WeightPlan& plan) {
  const WeightPlan::Item& item = plan.items[embedding_item(plan).tensor];
  if (!is_folder(plan)) return panel_bytes(plan);
  return item.spec->cols * static_cast<int64_t>(tensor::dtype_bytes(item.entry->dtype));
}

memory::RowTable table_of(const WeightPlan& plan, const memory::UnitSource& source) {
  const size_t unit = embedding_unit(plan);
  const UnitItem& matrix = embedding_item(plan);
  const WeightPlan::Item& item = plan.items[matrix.tensor];
  memory::RowTable table{.name = "unit " + plan.cut.units[unit].name,
                         .row_bytes = record_bytes(plan),
                         .rows = item.spec->rows};
  if (is_folder(plan)) {
    table.file = item.entry->file;
    table.offset = item.entry->offset;
  } else {
    table.offset =
        source.units()[unit].pieces.front().offset + static_cast<uint64_t>(matrix.offset);
    table.rows = tensor::round_up(item.spec->rows, tensor::kPanel) / tensor::kPanel;
  }
  return table;
}

}  // namespace

size_t embedding_unit(const WeightPlan& plan) {
  return plan.tied_head ? plan.cut.units.size() - 1 : 0;
}

GatherCost gather_cost(const WeightPlan& plan) {
  GatherCost cost{.buffer_bytes = memory::RowReader::buffer_bytes(record_bytes(plan)),
                  .row_bytes = memory::RowReader::read_bytes(record_bytes(plan))};
  if (is_folder(plan)) cost.buffer_bytes += tensor::round_up(panel_bytes(plan), kHugePage);
  return cost;
}

Result<std::unique_ptr<EmbeddingRows>> EmbeddingRows::create(const StreamSetup& setup,
                                                             const memory::UnitSource& source,
                                                             void (*pack)(const tensor::PackArgs&),
                                                             IoKind io) {
  const WeightPlan& plan = setup.plan;
  std::unique_ptr<EmbeddingRows> made(new EmbeddingRows(plan, pack));
  if (is_folder(plan)) {
    const int64_t bytes = tensor::round_up(panel_bytes(plan), kHugePage);
    made->panel_ = TRY(setup.device.allocate(bytes));
    made->panel_charge_ = memory::Charge(setup.account, memory::MemoryTag::kRing, bytes);
    made->row_.resize(static_cast<size_t>(record_bytes(plan)));
  } else {
    made->rows_per_record_ = tensor::kPanel;
    if (!plan.tied_head) TRY(setup.files.pack->check_unit(embedding_unit(plan)));
  }
  made->reader_ = TRY(memory::RowReader::create(setup.env, setup.device, setup.account,
                                                source.paths(), table_of(plan, source), io));
  return made;
}

void EmbeddingRows::ask(std::span<const int32_t> ids) {
  if (!asked_.empty() && std::ranges::equal(asked_, ids)) return;
  asked_.assign(ids.begin(), ids.end());
  wanted_.clear();
  for (size_t i = 0; i < ids.size(); i++) wanted_.emplace_back(ids[i] / rows_per_record_, i);
  std::ranges::sort(wanted_);
  std::vector<int64_t> records;
  for (const auto& [record, index] : wanted_) {
    if (records.empty() || records.back() != record) records.push_back(record);
  }
  reader_->ask(std::move(records));
}

Result<tensor::PackedMatrix> EmbeddingRows::panel_of(int64_t record,
                                                     std::span<const std::byte> bytes) {
  const WeightPlan::Item& item = plan_.items[embedding_item(plan_).tensor];
  tensor::PackedMatrix panel{bytes.data(), plan_.kind, tensor::kPanel, item.spec->cols};
  if (!is_folder(plan_)) return panel;
  std::ranges::copy(bytes, row_.begin());
  TRY(lay_rows({.item = &item, .first_row = record, .rows = 1}, plan_.kind, row_.data(),
               panel_.data(), pack_));
  panel.data = panel_.data();
  return panel;
}

Result<void> EmbeddingRows::gather(std::span<const int32_t> ids, const Lookup& lookup,
                                   const memory::StopCheck& stop) {
  ask(ids);
  const auto sink = [&](int64_t record, std::span<const std::byte> bytes) -> Result<void> {
    const tensor::PackedMatrix panel = TRY(panel_of(record, bytes));
    auto at = std::ranges::lower_bound(wanted_, std::pair(record, size_t{0}));
    for (; at != wanted_.end() && at->first == record; ++at) {
      lookup(panel, static_cast<int32_t>(ids[at->second] % rows_per_record_), at->second);
    }
    return {};
  };
  const auto gathered = reader_->take(sink, stop);
  asked_.clear();
  return gathered;
}

}  // namespace strata::model
