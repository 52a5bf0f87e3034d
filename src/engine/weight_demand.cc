// Units of a pack are read as they lie in memory; those of a checkpoint tensor by tensor, each
// widened to whole blocks of the disk.
#include "engine/weight_demand.h"

#include "base/read_queue.h"
#include "memory/account.h"

namespace strata::engine {
namespace {

bool is_pack(const model::WeightPlan& plan) { return plan.items.front().entry == nullptr; }

// At most: neighbours share blocks, and how a file lies is not asked here.
int64_t read_bytes(const model::WeightPlan& plan, const model::WeightUnit& unit) {
  if (is_pack(plan)) return unit.padded_bytes;
  int64_t bytes = 0;
  for (const model::UnitItem& item : unit.items) {
    bytes += static_cast<int64_t>(plan.items[item.tensor].entry->bytes) + 2 * int64_t{kDirectBlock};
  }
  return bytes / int64_t{kDirectBlock} * int64_t{kDirectBlock};
}

// Rows of the embedding are gathered: it is never worth reading whole.
bool holds_embedding(const model::WeightPlan& plan, const model::WeightUnit& unit) {
  return unit.kind == model::UnitKind::kEmbedding ||
         (plan.tied_head && unit.kind == model::UnitKind::kHead);
}

placement::UnitUse use_of(const model::WeightUnit& unit) {
  switch (unit.kind) {
    case model::UnitKind::kEmbedding:
      return placement::UnitUse::kGathered;
    case model::UnitKind::kHead:
      return placement::UnitUse::kLogits;
    case model::UnitKind::kAttention:
    case model::UnitKind::kMlp:
      break;
  }
  return placement::UnitUse::kRows;
}

}  // namespace

std::vector<placement::UnitFacts> unit_facts(const model::WeightPlan& plan) {
  std::vector<placement::UnitFacts> facts;
  for (const model::WeightUnit& unit : plan.cut.units) {
    facts.push_back({.bytes = unit.padded_bytes,
                     .read_bytes = read_bytes(plan, unit),
                     .pinned = holds_embedding(plan, unit),
                     .use = use_of(unit)});
  }
  return facts;
}

bool is_relaid(const model::WeightPlan& plan) { return !is_pack(plan); }

WeightDemand::WeightDemand(const EngineConfig& config, const model::WeightPlan& plan)
    : weights_on_(config.weights_on),
      ring_bytes_(config.ring_bytes),
      finished_apart_(is_relaid(plan)),
      units_(unit_facts(plan)) {}

placement::PlacementRequest WeightDemand::request(int64_t budget) const {
  return {.units = units_,
          .weights_on = weights_on_,
          .ring_bytes = ring_bytes_,
          .finished_apart = finished_apart_,
          .budget = budget};
}

int64_t WeightDemand::least() const { return placement::least_budget(request(0)); }

Result<placement::PlacementPlan> WeightDemand::place(int64_t budget) const {
  placement::PlacementPlan plan = placement::place_greedily(request(budget), {});
  if (!ring_bytes_) return plan;
  if (weights_on_ == placement::WeightsOn::kRam) {
    return fail(Code::kInvalidArgument, "--ring-bytes", "--weights-on ram",
                "--weights-on auto or disk", "a ring holds weights that are streamed");
  }
  if (plan.streams() && plan.ring_bytes > *ring_bytes_ + (2 << 20)) {
    return fail(Code::kInvalidArgument, "--ring-bytes", memory::format_bytes(*ring_bytes_),
                "at least the " + memory::format_bytes(plan.ring_bytes) +
                    " of the largest streamed part of a layer");
  }
  return plan;
}

}  // namespace strata::engine
