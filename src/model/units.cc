// Grouping by (kind, layer), then addresses. Pure arithmetic on plain data.
#include "model/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace strata::model {
namespace {

using tensor::round_up;

// Of the tensors' bytes: half of what a pack may take more, the rest is for tables and documents.
constexpr int64_t kPaddingShare = 100;

constexpr std::array<std::string_view, 6> kKindNames = {"embedding", "attention", "gate",
                                                        "up",        "down",      "head"};

UnitKind kind_of(TensorRole role, bool tied) {
  switch (role) {
    case TensorRole::kEmbedding:
      return tied ? UnitKind::kHead : UnitKind::kEmbedding;
    case TensorRole::kFinalNorm:
    case TensorRole::kHead:
      return UnitKind::kHead;
    case TensorRole::kMlpNorm:
    case TensorRole::kGate:
    case TensorRole::kGateBias:
      return UnitKind::kGate;
    case TensorRole::kUp:
    case TensorRole::kUpBias:
      return UnitKind::kUp;
    case TensorRole::kDown:
    case TensorRole::kDownBias:
      return UnitKind::kDown;
    default:
      return UnitKind::kAttention;
  }
}

// Indices of the tensors in the order of the units: a tied embedding stands where the head would.
std::vector<size_t> order_of(std::span<const PlacedTensor> tensors, bool tied) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!tied) return order;
  const auto is_last_part = [&](size_t i) {
    return tensors[i].spec->role == TensorRole::kFinalNorm;
  };
  const auto norm = std::ranges::find_if(order, is_last_part);
  if (norm != order.begin()) std::rotate(order.begin(), order.begin() + 1, norm);
  return order;
}

std::string name_of(UnitKind kind, int layer, bool tied) {
  if (layer >= 0) return fmt::format("layer {} {}", layer, unit_kind_name(kind));
  return tied ? "embedding and head" : std::string(unit_kind_name(kind));
}

int64_t padded(const std::vector<WeightUnit>& units, int64_t alignment) {
  int64_t bytes = 0;
  for (const WeightUnit& unit : units) bytes += round_up(unit.bytes, alignment);
  return bytes;
}

int64_t choose_alignment(const std::vector<WeightUnit>& units) {
  const int64_t data = padded(units, kTensorAlign);
  int64_t alignment = kMaxUnitAlign;
  while (alignment > kMinUnitAlign && padded(units, alignment) - data > data / kPaddingShare) {
    alignment /= 2;
  }
  return alignment;
}

// A whole number of panels each, the last one the rest; the final norm goes with its neighbour.
std::vector<HeadPart> cut_head(const UnitCut& cut, std::span<const PlacedTensor> tensors) {
  const WeightUnit& unit = cut.units.back();
  int64_t most = 0;
  for (const WeightUnit& other : cut.units)
    most = std::max(most, other.layer < 0 ? 0 : other.bytes);
  const auto is_matrix = [&](const UnitItem& item) {
    return tensors[item.tensor].spec->is_matrix();
  };
  const auto matrix = std::ranges::find_if(unit.items, is_matrix);
  if (matrix == unit.items.end()) return {};
  const int64_t rows = tensors[matrix->tensor].spec->rows;
  const int64_t panels = round_up(rows, tensor::kPanel) / tensor::kPanel;
  const int64_t panel_bytes = matrix->bytes / panels;
  const int64_t step = std::clamp(most / panel_bytes, int64_t{1}, panels);
  std::vector<HeadPart> parts;
  for (int64_t panel = 0; panel < panels; panel += step) {
    const int64_t end = std::min(panels, panel + step);
    const int64_t data = matrix->offset + panel * panel_bytes;
    const int64_t offset = panel == 0 ? 0 : data;
    const int64_t behind = end == panels ? unit.bytes : matrix->offset + end * panel_bytes;
    parts.push_back({.first_row = panel * tensor::kPanel,
                     .rows = std::min(rows, end * tensor::kPanel) - panel * tensor::kPanel,
                     .offset = offset,
                     .bytes = behind - offset,
                     .data = data - offset});
  }
  return parts;
}

}  // namespace

std::string_view unit_kind_name(UnitKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

int64_t tensor_bytes(const TensorSpec& tensor, tensor::ProductKind kind,
                     int64_t coded_panel_bytes) {
  if (!tensor.is_matrix()) return tensor.rows * int64_t{sizeof(float)};
  return tensor::PackedMatrix{nullptr, kind, tensor.rows, tensor.cols, coded_panel_bytes}.bytes();
}

UnitCut cut_units(std::span<const PlacedTensor> tensors, tensor::ProductKind kind) {
  const auto is_head = [](const PlacedTensor& tensor) {
    return tensor.spec->role == TensorRole::kHead;
  };
  const bool tied = std::ranges::none_of(tensors, is_head);
  UnitCut cut;
  for (const size_t i : order_of(tensors, tied)) {
    const TensorSpec& tensor = *tensors[i].spec;
    const UnitKind unit_kind = kind_of(tensor.role, tied);
    if (cut.units.empty() || cut.units.back().kind != unit_kind ||
        cut.units.back().layer != tensor.layer) {
      cut.units.push_back({.name = name_of(unit_kind, tensor.layer, tied),
                           .kind = unit_kind,
                           .layer = tensor.layer,
                           .items = {}});
    }
    WeightUnit& unit = cut.units.back();
    const int64_t bytes = tensor_bytes(tensor, kind, tensors[i].coded_panel_bytes);
    unit.items.push_back({.tensor = i, .offset = unit.bytes, .bytes = bytes});
    unit.bytes += round_up(bytes, kTensorAlign);
  }
  cut.head_parts = cut_head(cut, tensors);
  cut.alignment = choose_alignment(cut.units);
  for (WeightUnit& unit : cut.units) {
    unit.offset = cut.bytes;
    unit.padded_bytes = round_up(unit.bytes, cut.alignment);
    cut.bytes += unit.padded_bytes;
  }
  return cut;
}

}  // namespace strata::model
