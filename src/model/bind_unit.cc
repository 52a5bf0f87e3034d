// Where each tensor's pointer stands in Weights: the one way from a unit in memory to what the
// forward pass reads, whoever holds the unit.
#include "model/weights.h"

namespace strata::model {
namespace {

// Where a role's pointer stands; exactly one of the two is set.
struct Place {
  tensor::PackedMatrix* matrix = nullptr;
  const float** vector = nullptr;
};

Place find_place(Weights& weights, const TensorSpec& spec) {
  LayerWeights* layer = spec.layer < 0 ? nullptr : &weights.layers[static_cast<size_t>(spec.layer)];
  switch (spec.role) {
    case TensorRole::kEmbedding:
      return {.matrix = &weights.embedding};
    case TensorRole::kHead:
      return {.matrix = &weights.head};
    case TensorRole::kFinalNorm:
      return {.vector = &weights.final_norm};
    case TensorRole::kAttentionNorm:
      return {.vector = &layer->attention_norm};
    case TensorRole::kQuery:
      return {.matrix = &layer->q};
    case TensorRole::kQueryBias:
      return {.vector = &layer->q_bias};
    case TensorRole::kQueryNorm:
      return {.vector = &layer->q_norm};
    case TensorRole::kKey:
      return {.matrix = &layer->k};
    case TensorRole::kKeyBias:
      return {.vector = &layer->k_bias};
    case TensorRole::kKeyNorm:
      return {.vector = &layer->k_norm};
    case TensorRole::kValue:
      return {.matrix = &layer->v};
    case TensorRole::kValueBias:
      return {.vector = &layer->v_bias};
    case TensorRole::kOutput:
      return {.matrix = &layer->o};
    case TensorRole::kOutputBias:
      return {.vector = &layer->o_bias};
    case TensorRole::kMlpNorm:
      return {.vector = &layer->mlp_norm};
    case TensorRole::kGate:
      return {.matrix = &layer->gate};
    case TensorRole::kGateBias:
      return {.vector = &layer->gate_bias};
    case TensorRole::kUp:
      return {.matrix = &layer->up};
    case TensorRole::kUpBias:
      return {.vector = &layer->up_bias};
    case TensorRole::kDown:
      return {.matrix = &layer->down};
    case TensorRole::kDownBias:
      return {.vector = &layer->down_bias};
  }
  return {};
}

}  // namespace

void bind_unit(Weights& weights, const WeightPlan& plan, const WeightUnit& unit,
               const std::byte* base) {
  for (const UnitItem& item : unit.items) {
    const WeightPlan::Item& placed = plan.items[item.tensor];
    const TensorSpec& spec = *placed.spec;
    const Place place = find_place(weights, spec);
    const std::byte* data = base + item.offset;
    if (place.matrix != nullptr) {
      *place.matrix = {data, plan.kind, spec.rows, spec.cols, placed.coded_panel_bytes};
    }
    if (place.vector != nullptr) *place.vector = reinterpret_cast<const float*>(data);
    if (plan.tied_head && spec.role == TensorRole::kEmbedding) weights.head = weights.embedding;
  }
}

}  // namespace strata::model
