// Cuts a model's tensors into units in the order of the forward pass: what is read from a pack,
// kept in memory or streamed as one piece. A unit holds its tensors in compute layout, wherever it
// lies. Knows neither files nor who holds a unit where; weights.h points a model's places into one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/spec.h"
#include "tensor/packed.h"

namespace strata::model {

/// Tensors start on cache lines, so that a panel never shares one with a neighbour.
inline constexpr int64_t kTensorAlign = 64;
/// Least and most that units are aligned to: what direct reads need, and a huge page.
inline constexpr int64_t kMinUnitAlign = 4 << 10;
inline constexpr int64_t kMaxUnitAlign = 2 << 20;

/// A matrix of an MLP is a unit of its own, with its bias (the gate with the norm before it): the
/// largest unit decides the size of a ring, which is memory that no resident has.
enum class UnitKind : uint8_t { kEmbedding, kAttention, kGate, kUp, kDown, kHead };

std::string_view unit_kind_name(UnitKind kind);

struct UnitItem {
  size_t tensor = 0;   // index into WeightPlan::items
  int64_t offset = 0;  // from the unit's start, a multiple of kTensorAlign
  int64_t bytes = 0;   // in compute layout
};

struct WeightUnit {
  std::string name;  // "layer 12 attention"
  UnitKind kind = UnitKind::kEmbedding;
  int layer = -1;  // -1: outside the layers
  std::vector<UnitItem> items;
  int64_t offset = 0;        // from the first unit's start
  int64_t bytes = 0;         // to the end of the last tensor; what follows are zeros
  int64_t padded_bytes = 0;  // to the start of the next unit
};

/// Rows of the head's matrix that are streamed, and computed with, as one; whole panels.
struct HeadPart {
  int64_t first_row = 0;
  int64_t rows = 0;
  int64_t offset = 0;  // of the part in the unit: parts lie one behind the other and are the unit
  int64_t bytes = 0;
  int64_t data = 0;  // of the rows in the part
};

/// A model's units lie one behind the other, in a pack as in memory.
struct UnitCut {
  std::vector<WeightUnit> units;
  /// What the last unit is streamed in: parts no larger than a layer's largest unit, so that a head
  /// asks for no larger ring than the layers do.
  std::vector<HeadPart> head_parts;
  int64_t alignment = kMinUnitAlign;  // of every unit's offset and padded bytes
  int64_t bytes = 0;                  // of all, padded
};

/// Bytes of a tensor in compute layout: packed matrices, f32 vectors. `coded_panel_bytes`: as in
/// tensor::PackedMatrix.
int64_t tensor_bytes(const TensorSpec& tensor, tensor::ProductKind kind,
                     int64_t coded_panel_bytes = 0);

/// A tensor to be placed.
struct PlacedTensor {
  const TensorSpec* spec = nullptr;
  int64_t coded_panel_bytes = 0;
};

/// `tensors` in the order of ModelSpec::tensors, without the head where the embedding serves as
/// such: then there is no unit "embedding", and the embedding is the first tensor of the unit
/// "embedding and head". Units: embedding; attention, gate, up and down of every layer; final norm
/// and head.
/// Alignment: the greatest power of two from 4 KiB to 2 MiB at which padding is at most 1 % of the
/// tensors, since a pack may take 2 % more than its model (4 KiB where none is).
UnitCut cut_units(std::span<const PlacedTensor> tensors, tensor::ProductKind kind);

}  // namespace strata::model
