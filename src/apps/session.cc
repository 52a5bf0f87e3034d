// Order of opening: what can refuse quickly comes first, weights last.
#include "apps/session.h"

#include "apps/interrupt.h"
#include "apps/load_progress.h"
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

Result<Session> open_session(Env& env, const SessionArgs& args) {
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
  const engine::ResolvedConfig config =
      TRY(engine::resolve(args.engine, machine, opened->spec(), opened->plan(), opened->draft()));
  print_decisions(config);
  const int64_t load_bytes =
      config.placement.streams() ? config.placement.resident_bytes : opened->plan().read_bytes;
  LoadProgress progress(env, load_bytes);
  auto engine = TRY(engine::Engine::create(
      env, *opened, config, {.threads = config.threads, .progress = [&](int64_t done, int64_t) {
                               progress.show(done);
                               if (args.on_progress) args.on_progress(done, load_bytes);
                             }}));
  progress.finish();
  engine->set_stop_check(interrupted);
  log_info("memory: {}", engine->worker().account().summary());
  codec.charge_grammars_to(engine->text());
  auto door = LiveDoor::open(env, engine->live());
  if (!door) log_warning("inspect --live cannot see this run: {}", door.error().message());
  return Session{std::move(opened), std::move(engine), std::move(codec),
                 door ? std::move(*door) : nullptr};
}

Result<void> close_session(Session& session, Result<void> outcome) {
  auto closed = session.engine->close();
  return outcome ? closed : outcome;
}

}  // namespace strata::apps
