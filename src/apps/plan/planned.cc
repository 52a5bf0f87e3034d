// Order of opening: what can refuse quickly comes first.
#include "apps/plan/planned.h"

#include <algorithm>

#include "base/log.h"
#include "engine/plan/step_budget.h"

namespace strata::apps {

Result<Planned> plan_run(Env& env, const SessionArgs& args,
                         std::optional<engine::Probing> probing) {
  // The AMX permission must be asked for before any thread starts.
  engine::MachineFacts machine = engine::look_at_machine(env);
  auto opened = TRY(engine::OpenedModel::open(env, args.model, args.revision, args.engine.dtype));
  if (args.engine.speculation.by_model()) {
    TRY(opened->open_draft(env, args.engine.speculation.method));
  }
  for (const std::string& warning : opened->warnings()) log_warning("{}", warning);
  frontend::TextCodec codec =
      TRY(frontend::TextCodec::create(opened->documents(), opened->spec().vocab));
  if (const auto warning = codec.warning()) log_warning("{}", *warning);
  machine.process_bytes = engine::resident_bytes(env);  // with the tokenizer
  engine::ResolvedConfig config =
      TRY(engine::resolve(args.engine, machine, opened->spec(), opened->plan(), opened->draft()));
  engine::Calibration prices = price_run(env, *opened, config, machine, probing);
  return Planned{std::move(opened), std::move(codec), std::move(machine), std::move(config),
                 std::move(prices)};
}

engine::Calibration price_run(Env& env, const engine::OpenedModel& opened,
                              engine::ResolvedConfig& config, const engine::MachineFacts& machine,
                              std::optional<engine::Probing> probing) {
  const auto usual =
      config.placement.streams() ? engine::Probing::kMissing : engine::Probing::kCached;
  engine::Calibration prices =
      engine::calibrate(env, opened, config, machine, probing.value_or(usual));
  engine::balance_step(config, opened, prices.costs);
  return prices;
}

std::optional<engine::Forecast> with_one_more_gib(const Planned& planned) {
  constexpr int64_t kGib = int64_t{1} << 30;
  if (planned.config.memory_bytes == 0) return std::nullopt;
  engine::EngineConfig wider = planned.config.asked;
  wider.memory_bytes = planned.config.memory_bytes + kGib;
  engine::MachineFacts machine = planned.machine;
  machine.memory_bytes = std::max(machine.memory_bytes, *wider.memory_bytes);
  const engine::OpenedModel& opened = *planned.opened;
  auto config = engine::resolve(wider, machine, opened.spec(), opened.plan(), opened.draft());
  if (!config) return std::nullopt;
  const bool same = config->placement.resident == planned.config.placement.resident &&
                    config->kv_blocks == planned.config.kv_blocks;
  if (same) return std::nullopt;
  placement::CostTable costs = planned.prices.costs;
  // Those of a byte of coded weights are not those of a packed one.
  if (config->placement.expanded != planned.config.placement.expanded) costs.compute.clear();
  engine::balance_step(*config, opened, costs);
  return engine::make_forecast(*config, opened, costs);
}

}  // namespace strata::apps
