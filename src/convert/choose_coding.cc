// Counts escapes of the panels in every window as it goes by.
#include "convert/choose_coding.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "convert/unit_stream.h"
#include "tensor/exponent_coding.h"

namespace strata::convert {
namespace {

using model::UnitItem;
using model::WeightPlan;

// Expanding costs time: not for less than a tenth of the bytes.
constexpr int64_t kLeastGain = 10;

class Census {
 public:
  Census(const WeightPlan& plan, ComputePool& pool)
      : plan_(plan), pool_(pool), escapes_(plan.items.size(), 0) {}

  // A window of the unit, from `begin` on: its panels are whole.
  void add(const model::WeightUnit& unit, int64_t begin, std::span<const std::byte> bytes) {
    const int64_t end = begin + static_cast<int64_t>(bytes.size());
    for (const UnitItem& item : unit.items) {
      const model::TensorSpec& spec = *plan_.items[item.tensor].spec;
      const int64_t from = std::max(begin, item.offset),
                    to = std::min(end, item.offset + item.bytes);
      if (from >= to || !model::may_be_coded(spec)) continue;
      count(item.tensor, spec.cols,
            bytes.subspan(static_cast<size_t>(from - begin), static_cast<size_t>(to - from)));
    }
  }

  // Bytes of a coded panel, 0 where the matrix stays as it is.
  int64_t coded_panel_bytes(size_t tensor) const {
    const model::TensorSpec& spec = *plan_.items[tensor].spec;
    if (!model::may_be_coded(spec) || escapes_[tensor] > tensor::kMaxEscapes) return 0;
    const int64_t coded = tensor::coded_panel_bytes(spec.cols, escapes_[tensor]);
    const int64_t packed =
        tensor::packed_elements(tensor::kPanel, spec.cols) * tensor::element_bytes(plan_.kind);
    return coded <= packed - packed / kLeastGain ? coded : 0;
  }

 private:
  void count(size_t tensor, int64_t depth, std::span<const std::byte> panels) {
    const auto panel_bytes =
        static_cast<size_t>(tensor::packed_elements(tensor::kPanel, depth) * 2);
    std::vector<int64_t> found(panels.size() / panel_bytes);
    pool_.run(static_cast<int64_t>(found.size()), [&](int64_t i, int) {
      const auto index = static_cast<size_t>(i);
      found[index] = tensor::choose_code(&panels[index * panel_bytes], depth).escapes;
    });
    for (const int64_t escapes : found) escapes_[tensor] = std::max(escapes_[tensor], escapes);
  }

  const WeightPlan& plan_;
  ComputePool& pool_;
  std::vector<int64_t> escapes_;  // of each item's worst panel
};

}  // namespace

Result<WeightPlan> choose_coding(device::Device& device, const checkpoint::Checkpoint& checkpoint,
                                 const WeightPlan& plan, ComputePool& pool,
                                 const CodingOptions& options) {
  if (plan.kind != tensor::ProductKind::kBf16) return plan;
  UnitStream stream = TRY(UnitStream::create(device, checkpoint, plan, pool, options.load));
  Census census(plan, pool);
  int64_t done = 0;
  for (const model::WeightUnit& unit : plan.cut.units) {
    int64_t begin = 0;
    const auto look = [&](std::span<const std::byte> bytes) -> Result<void> {
      census.add(unit, begin, bytes);
      begin += static_cast<int64_t>(bytes.size());
      if (options.progress) options.progress(done + begin, plan.cut.bytes);
      return {};
    };
    TRY(stream.run(unit, look));
    done += begin;
  }
  WeightPlan coded = plan;
  for (size_t i = 0; i < coded.items.size(); i++) {
    coded.items[i].coded_panel_bytes = census.coded_panel_bytes(i);
  }
  model::place_items(coded);
  return coded;
}

}  // namespace strata::convert
