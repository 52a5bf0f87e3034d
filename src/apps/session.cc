// Order of opening: what can refuse quickly comes first, weights last.
#include "apps/session.h"

#include "apps/interrupt.h"
#include "apps/load_progress.h"
#include "apps/plan/table.h"
#include "base/log.h"

namespace strata::apps {
namespace {

void print_decisions(const engine::ResolvedConfig& config) {
  for (const engine::Decision& decision : config.decisions) {
    if (decision.name == "warning") {
      log_warning("{}: {}", decision.value, decision.reason);
    } else {
      log_info("{} {} ({})", decision.name, decision.value, decision.reason);
    }
  }
}

}  // namespace

void print_plan(const engine::OpenedModel& opened, const engine::ResolvedConfig& config,
                const engine::Calibration& prices) {
  const engine::Forecast forecast = engine::make_forecast(config, opened, prices.costs);
  for (const std::string& line : plan_lines({config, forecast, prices})) log_info("{}", line);
}

void print_outcome(const engine::Engine& engine, const engine::OpenedModel& opened,
                   const placement::CostTable& costs) {
  for (const std::string& line : outcome_lines(engine, opened, costs)) log_info("{}", line);
}

Result<Session> open_session(Env& env, const SessionArgs& args) {
  Planned planned = TRY(plan_run(env, args));
  const engine::ResolvedConfig& config = planned.config;
  engine::OpenedModel& opened = *planned.opened;
  print_decisions(config);
  print_plan(opened, config, planned.prices);
  const int64_t load_bytes =
      config.placement.streams() ? config.placement.resident_bytes : opened.plan().read_bytes;
  LoadProgress progress(env, load_bytes);
  auto engine = TRY(engine::Engine::create(
      env, opened, config, {.threads = config.threads, .progress = [&](int64_t done, int64_t) {
                              progress.show(done);
                              if (args.on_progress) args.on_progress(done, load_bytes);
                            }}));
  progress.finish();
  engine->set_stop_check([](bool) { return interrupted(); });
  log_info("memory: {}", engine->worker().account().summary());
  planned.codec.charge_grammars_to(engine->text());
  auto door = LiveDoor::open(env, engine->live());
  if (!door) log_warning("inspect --live cannot see this run: {}", door.error().message());
  return Session{std::move(planned.opened), std::move(engine), std::move(planned.codec),
                 door ? std::move(*door) : nullptr, planned.prices.costs};
}

Result<void> close_session(Session& session, Result<void> outcome) {
  auto closed = session.engine->close();
  print_outcome(*session.engine, *session.opened, session.costs);
  return outcome ? closed : outcome;
}

}  // namespace strata::apps
