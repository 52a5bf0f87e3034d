// Units of a pack are read as they lie in memory; those of a checkpoint tensor by tensor, each
// widened to whole blocks of the disk.
#include "engine/weight_demand.h"

#include <algorithm>

#include "base/read_queue.h"
#include "memory/account.h"
#include "model/embedding_rows.h"
#include "model/relay.h"
#include "tensor/dtype.h"

namespace strata::engine {
namespace {

bool is_pack(const model::WeightPlan& plan) { return plan.items.front().entry == nullptr; }

// At most: neighbours share blocks, and how a file lies is not asked here.
int64_t blocks_of(int64_t bytes) {
  constexpr int64_t kBlock = kDirectBlock;
  return (bytes + 2 * kBlock) / kBlock * kBlock;
}

int64_t read_bytes(const model::WeightPlan& plan, const model::WeightUnit& unit) {
  if (is_pack(plan)) return unit.padded_bytes;
  int64_t bytes = 0;
  for (const model::UnitItem& item : unit.items) {
    bytes += blocks_of(static_cast<int64_t>(plan.items[item.tensor].entry->bytes));
  }
  return bytes;
}

// The head's largest part. A pack's is read with what lies before and behind its rows.
void add_parts(const model::WeightPlan& plan, placement::UnitFacts& facts) {
  const std::vector<model::HeadPart>& parts = plan.cut.head_parts;
  if (parts.size() < 2) return;
  const model::WeightPlan::Item& item = plan.items[model::head_matrix(plan).tensor];
  for (const model::HeadPart& part : parts) {
    const bool last = &part == &parts.back();
    const int64_t bytes = last ? facts.bytes - part.offset : part.bytes;
    int64_t read = bytes;
    if (!is_pack(plan)) {
      read = part.rows * item.spec->cols *
             static_cast<int64_t>(tensor::dtype_bytes(item.entry->dtype));
    }
    facts.part_bytes = std::max(facts.part_bytes, bytes);
    facts.part_read_bytes = std::max(facts.part_read_bytes, blocks_of(read));
  }
}

placement::UnitUse use_of(const model::WeightUnit& unit) {
  switch (unit.kind) {
    case model::UnitKind::kEmbedding:
      return placement::UnitUse::kGathered;
    case model::UnitKind::kHead:
      return placement::UnitUse::kLogits;
    case model::UnitKind::kAttention:
    case model::UnitKind::kGate:
    case model::UnitKind::kUp:
    case model::UnitKind::kDown:
      break;
  }
  return placement::UnitUse::kRows;
}

}  // namespace

std::vector<placement::UnitFacts> unit_facts(const model::WeightPlan& plan) {
  std::vector<placement::UnitFacts> facts;
  for (const model::WeightUnit& unit : plan.cut.units) {
    facts.push_back(
        {.bytes = unit.padded_bytes, .read_bytes = read_bytes(plan, unit), .use = use_of(unit)});
  }
  add_parts(plan, facts.back());
  const model::GatherCost gather = model::gather_cost(plan);
  placement::UnitFacts& embedding = facts[model::embedding_unit(plan)];
  embedding.gather_bytes = gather.buffer_bytes;
  embedding.row_bytes = gather.row_bytes;
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

int64_t WeightDemand::budget(int64_t room, const PoolShares& pool) const {
  const std::optional<int64_t> but_table = placement::budget_but_table(request(0));
  if (but_table && *but_table + pool.in_ram <= room) return room - pool.in_ram;
  return std::max(least(), room - pool.on_disk);
}

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
