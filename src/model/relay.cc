// See relay.h. Element types are converted on the way.
#include "model/relay.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "tensor/dtype.h"
#include "tensor/exponent_coding.h"
#include "tensor/float_bits.h"

namespace strata::model {
namespace {

using tensor::DType;

int64_t row_bytes(const WeightPlan::Item& item) {
  return std::max<int64_t>(item.spec->cols, 1) *
         static_cast<int64_t>(tensor::dtype_bytes(item.entry->dtype));
}

float widen(const std::byte* src, DType dtype, int64_t index) {
  switch (dtype) {
    case DType::kF16:
      return tensor::to_float(reinterpret_cast<const tensor::F16*>(src)[index]);
    case DType::kBF16:
      return tensor::to_float(reinterpret_cast<const tensor::Bf16*>(src)[index]);
    default:
      return reinterpret_cast<const float*>(src)[index];
  }
}

// The greatest finite f16; anything from halfway to the next power of two would become infinity.
constexpr float kF16Limit = 65520;

// True where a finite value of the piece would be infinite as f16. A --dtype f16 that loses a
// weight must not pass silently.
bool overflows_f16(const std::byte* src, DType dtype, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const float value = std::abs(widen(src, dtype, i));
    if (value >= kF16Limit && std::isfinite(value)) return true;
  }
  return false;
}

bool overflows(const RowRun& run, const std::byte* source) {
  const DType dtype = run.item->entry->dtype;
  if (dtype == DType::kF16 || !run.item->spec->is_matrix()) return false;
  return overflows_f16(source, dtype, run.rows * run.item->spec->cols);
}

// Packs beside, and codes what it packed. False where that does not fit.
bool code_rows(tensor::PackArgs args, int64_t panel_bytes, void (*pack)(const tensor::PackArgs&)) {
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  const tensor::PackedMatrix packed{nullptr, args.kind, args.rows, args.k};
  std::vector<Line> memory(static_cast<size_t>(packed.bytes()) / sizeof(Line));
  std::byte* const to = std::exchange(args.dst, memory.data()->bytes);
  pack(args);
  for (int64_t panel = 0; panel < packed.bytes() / packed.panel_bytes(); panel++) {
    const std::byte* from = args.dst + panel * packed.panel_bytes();
    if (!tensor::encode_panel(from, args.k, panel_bytes, to + panel * panel_bytes)) return false;
  }
  return true;
}

}  // namespace

uint64_t RowRun::source_offset() const {
  return static_cast<uint64_t>(first_row * row_bytes(*item));
}

size_t RowRun::source_bytes() const { return static_cast<size_t>(rows * row_bytes(*item)); }

std::vector<RowRun> cut_row_runs(const WeightPlan& plan, const UnitItem& matrix, int64_t first_row,
                                 int64_t rows, int64_t source_bytes) {
  const WeightPlan::Item& item = plan.items[matrix.tensor];
  const int64_t panels = std::max<int64_t>(1, source_bytes / (row_bytes(item) * tensor::kPanel));
  const int64_t panel_bytes =
      matrix.bytes / (tensor::round_up(item.spec->rows, tensor::kPanel) / tensor::kPanel);
  const int64_t step = panels * tensor::kPanel, end = first_row + rows;
  std::vector<RowRun> runs;
  for (int64_t row = first_row; row < end; row += step) {
    const int64_t count = std::min(step, end - row);
    runs.push_back({&item, row, count, matrix.offset + row / tensor::kPanel * panel_bytes,
                    tensor::round_up(count, tensor::kPanel) / tensor::kPanel * panel_bytes});
  }
  return runs;
}

std::vector<RowRun> cut_runs(const WeightPlan& plan, const WeightUnit& unit, int64_t source_bytes) {
  std::vector<RowRun> runs;
  for (const UnitItem& item : unit.items) {
    const TensorSpec& spec = *plan.items[item.tensor].spec;
    if (!spec.is_matrix()) {
      runs.push_back({&plan.items[item.tensor], 0, spec.rows, item.offset, item.bytes});
      continue;
    }
    for (const RowRun& run : cut_row_runs(plan, item, 0, spec.rows, source_bytes)) {
      runs.push_back(run);
    }
  }
  return runs;
}

const UnitItem& head_matrix(const WeightPlan& plan) {
  const std::vector<UnitItem>& items = plan.cut.units.back().items;
  const auto found = std::ranges::find_if(
      items, [&](const UnitItem& item) { return plan.items[item.tensor].spec->is_matrix(); });
  CHECK(found != items.end(), "a head without a matrix");
  return *found;
}

Result<void> lay_rows(const RowRun& run, tensor::ProductKind kind, const std::byte* source,
                      std::byte* to, void (*pack)(const tensor::PackArgs&)) {
  const TensorSpec& spec = *run.item->spec;
  const DType dtype = run.item->entry->dtype;
  if (kind == tensor::ProductKind::kF16 && overflows(run, source)) {
    return fail(Code::kInvalidData, spec.name + ": a weight beyond 65504 does not fit f16", {}, {},
                "use --dtype bf16 or f32");
  }
  if (!spec.is_matrix()) {
    auto* out = reinterpret_cast<float*>(to);
    for (int64_t i = 0; i < spec.rows; i++) out[i] = widen(source, dtype, i);
    return {};
  }
  // Panels stand one behind the other, so a run of them is a packed matrix by itself.
  tensor::PackArgs args{
      .kind = kind, .src_dtype = dtype, .src = source, .rows = run.rows, .k = spec.cols, .dst = to};
  if (run.item->coded_panel_bytes == 0) {
    pack(args);
    return {};
  }
  if (code_rows(args, run.item->coded_panel_bytes, pack)) return {};
  return fail(Code::kInvalidData, spec.name + ": other weights than when their coding was chosen",
              {}, {}, "convert the model again, and leave its files alone meanwhile");
}

}  // namespace strata::model
