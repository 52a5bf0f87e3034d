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

constexpr std::array<std::string_view, 4> kKindNames = {"embedding", "attention", "mlp", "head"};

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
    case TensorRole::kUp:
    case TensorRole::kUpBias:
    case TensorRole::kDown:
    case TensorRole::kDownBias:
      return UnitKind::kMlp;
    default:
      return UnitKind::kAttention;
  }
}

// Indices of the tensors in the order of the units: a tied embedding stands where the head would.
std::vector<size_t> order_of(std::span<const TensorSpec* const> tensors, bool tied) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (!tied) return order;
  const auto is_last_part = [&](size_t i) { return tensors[i]->role == TensorRole::kFinalNorm; };
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

}  // namespace

std::string_view unit_kind_name(UnitKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

int64_t tensor_bytes(const TensorSpec& tensor, tensor::ProductKind kind) {
  if (!tensor.is_matrix()) return tensor.rows * int64_t{sizeof(float)};
  return tensor::packed_elements(tensor.rows, tensor.cols) * tensor::element_bytes(kind);
}

UnitCut cut_units(std::span<const TensorSpec* const> tensors, tensor::ProductKind kind) {
  const bool tied =
      std::ranges::find(tensors, TensorRole::kHead, &TensorSpec::role) == tensors.end();
  UnitCut cut;
  for (const size_t i : order_of(tensors, tied)) {
    const TensorSpec& tensor = *tensors[i];
    const UnitKind unit_kind = kind_of(tensor.role, tied);
    if (cut.units.empty() || cut.units.back().kind != unit_kind ||
        cut.units.back().layer != tensor.layer) {
      cut.units.push_back({.name = name_of(unit_kind, tensor.layer, tied),
                           .kind = unit_kind,
                           .layer = tensor.layer,
                           .items = {}});
    }
    WeightUnit& unit = cut.units.back();
    const int64_t bytes = tensor_bytes(tensor, kind);
    unit.items.push_back({.tensor = i, .offset = unit.bytes, .bytes = bytes});
    unit.bytes += round_up(bytes, kTensorAlign);
  }
  cut.alignment = choose_alignment(cut.units);
  for (WeightUnit& unit : cut.units) {
    unit.offset = cut.bytes;
    unit.padded_bytes = round_up(unit.bytes, cut.alignment);
    cut.bytes += unit.padded_bytes;
  }
  return cut;
}

}  // namespace strata::model
