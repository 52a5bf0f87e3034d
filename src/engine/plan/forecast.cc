// Bytes are those that the account will be charged with, by the same functions that allocate.
#include "engine/plan/forecast.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "engine/weight_demand.h"
#include "model/forward.h"

namespace strata::engine {
namespace {

using placement::PassCost;
using placement::PassLoad;

model::ModelLimits limits_of(const ResolvedConfig& config, int64_t logit_rows) {
  return {.max_rows = config.max_num_batched_tokens,
          .max_logit_rows = logit_rows,
          .max_sequences = config.max_num_seqs,
          .max_model_len = config.max_model_len,
          .block_tokens = config.block_tokens};
}

class MemoryTable {
 public:
  void add(memory::MemoryTag tag, int64_t bytes) { add(memory::tag_name(tag), bytes); }
  void add(std::string_view tag, int64_t bytes) {
    const auto found = std::ranges::find(uses_, tag, &MemoryUse::tag);
    if (found == uses_.end()) {
      uses_.push_back({std::string(tag), bytes});
    } else {
      found->bytes += bytes;
    }
  }
  std::vector<MemoryUse> take() { return std::move(uses_); }

 private:
  std::vector<MemoryUse> uses_;
};

// A model's part: the one that answers, or the one that guesses.
void add_model(const OpenedModel& opened, const ResolvedConfig& config, int64_t logit_rows,
               MemoryTable& table) {
  const StepMemory step =
      step_memory(opened.spec(), opened.plan().kind, limits_of(config, logit_rows), config.threads);
  table.add(memory::MemoryTag::kActivations, step.activations);
  table.add(memory::MemoryTag::kLogits, step.logits);
}

std::vector<MemoryUse> memory_of(const ResolvedConfig& config, const OpenedModel& opened) {
  using enum memory::MemoryTag;
  MemoryTable table;
  const placement::PlacementPlan& plan = config.placement;
  table.add(kWeights, plan.resident_bytes);
  table.add(kRing, plan.ring_bytes + plan.finished_bytes + plan.gather_bytes);
  table.add(kKv, config.slabs * config.slab_plan.slab_bytes);
  add_model(opened, config, config.max_logit_rows, table);
  if (const OpenedModel* draft = opened.draft()) {
    table.add(kWeights, draft->expanded_plan().memory_bytes);
    table.add(kKv, config.draft.slabs * config.draft.slab_plan.slab_bytes);
    add_model(*draft, config, config.max_num_seqs, table);
  }
  table.add(kText, config.text_bytes);
  table.add("program", config.program_bytes);
  return table.take();
}

int64_t kv_bytes_per_token(const OpenedModel& opened) {
  int64_t bytes = 0;
  for (const auto& group : model::make_kv_layout(opened.spec(), opened.plan().kind).groups) {
    bytes += group.bytes_per_token();
  }
  return bytes;
}

std::optional<PassForecast> of_sequences(int64_t sequences, const std::optional<PassCost>& cost) {
  if (!cost || cost->pass_s() <= 0) return std::nullopt;
  return PassForecast{sequences, *cost};
}

}  // namespace

int64_t Forecast::memory_sum() const {
  int64_t sum = 0;
  for (const MemoryUse& use : memory) sum += use.bytes;
  return sum;
}

PassPrices::PassPrices(const ResolvedConfig& config, const OpenedModel& opened,
                       placement::CostTable costs)
    : config_(config),
      units_(unit_facts(opened.plan_for(config.placement))),
      request_{.units = units_, .finished_apart = is_relaid(opened.plan())},
      costs_(std::move(costs)),
      kv_bytes_per_token_(kv_bytes_per_token(opened)) {}

std::optional<PassCost> PassPrices::pass(const PassLoad& rows, int64_t context) const {
  PassLoad load = rows;
  load.kv_bytes = context * kv_bytes_per_token_;
  return placement::pass_cost(config_.placement.shape(request_), load, costs_);
}

std::optional<PassCost> PassPrices::pass_as_pack(const PassLoad& rows, int64_t context) const {
  PassLoad load = rows;
  load.kv_bytes = context * kv_bytes_per_token_;
  placement::PassShape shape = config_.placement.shape(request_);
  shape.relaid = false;
  return placement::pass_cost(shape, load, costs_);
}

Forecast make_forecast(const ResolvedConfig& config, const OpenedModel& opened,
                       const placement::CostTable& costs) {
  const placement::PlacementPlan& plan = config.placement;
  Forecast made{.memory = memory_of(config, opened),
                .ceiling_bytes = config.memory_bytes,
                .disk_bytes = plan.streamed_bytes,
                .row_bytes = plan.row_bytes,
                .units = static_cast<int64_t>(plan.resident.size()),
                .residents = std::ranges::count(plan.resident, true),
                .ring_bytes = plan.ring_bytes,
                .kv_blocks = config.kv_blocks,
                .kv_tokens = config.kv_blocks * config.block_tokens,
                .max_model_len = config.max_model_len,
                .context = std::min(config.max_model_len - 1, kForecastContext)};
  const auto blocks_of = [&](int64_t tokens) {
    return (tokens + config.block_tokens - 1) / config.block_tokens;
  };
  made.full_sequences = made.kv_blocks / blocks_of(config.max_model_len);
  const PassPrices prices(config, opened, costs);
  made.one = of_sequences(1, prices.pass({}, made.context));
  const int64_t together =
      std::clamp<int64_t>(made.kv_blocks / blocks_of(made.context + 1), 1, config.max_num_seqs);
  made.batch = of_sequences(
      together, prices.pass({.rows = together, .logit_rows = together}, together * made.context));
  if (plan.streams() && prices.is_folder()) {
    made.as_pack = of_sequences(1, prices.pass_as_pack({}, made.context));
  }
  return made;
}

std::optional<double> predicted_s(const EngineStats& stats, const PassPrices& prices) {
  double sum = 0;
  int64_t passes = 0;
  for (const PassGroup& group : stats.passes) {
    const auto mean = [&](int64_t total) {
      return std::llround(static_cast<double>(total) / static_cast<double>(group.passes));
    };
    const auto cost = prices.pass({.rows = group.rows, .logit_rows = mean(group.logit_rows)},
                                  mean(group.context));
    if (!cost) return std::nullopt;
    sum += cost->pass_s() * static_cast<double>(group.passes);
    passes += group.passes;
  }
  if (passes == 0) return std::nullopt;
  return sum;
}

}  // namespace strata::engine
