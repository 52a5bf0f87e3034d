// Order of opening: what can refuse quickly comes first.
#include "apps/plan/planned.h"

#include <algorithm>

#include "base/log.h"

namespace strata::apps {

Result<Planned> plan_run(Env& env, const SessionArgs& args) {
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
  return Planned{std::move(opened), std::move(codec), std::move(machine), std::move(config)};
}

engine::Calibration prices_for_run(Env& env, const Planned& planned) {
  const auto probing =
      planned.config.placement.streams() ? engine::Probing::kMissing : engine::Probing::kCached;
  return engine::calibrate(env, *planned.opened, planned.config, planned.machine, probing);
}

std::optional<engine::Forecast> with_one_more_gib(const Planned& planned,
                                                  const engine::EngineConfig& asked,
                                                  const engine::Calibration& prices) {
  constexpr int64_t kGib = int64_t{1} << 30;
  if (planned.config.memory_bytes == 0) return std::nullopt;
  engine::EngineConfig wider = asked;
  wider.memory_bytes = planned.config.memory_bytes + kGib;
  engine::MachineFacts machine = planned.machine;
  machine.memory_bytes = std::max(machine.memory_bytes, *wider.memory_bytes);
  const engine::OpenedModel& opened = *planned.opened;
  const auto config = engine::resolve(wider, machine, opened.spec(), opened.plan(), opened.draft());
  if (!config) return std::nullopt;
  const bool same = config->placement.resident == planned.config.placement.resident &&
                    config->kv_blocks == planned.config.kv_blocks;
  if (same) return std::nullopt;
  return engine::make_forecast(*config, opened, prices.costs);
}

}  // namespace strata::apps
