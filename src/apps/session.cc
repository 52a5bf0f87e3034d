// Order of opening: what can refuse quickly comes first, weights last.
#include "apps/session.h"

#include <random>

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

uint64_t random_seed() {
  std::random_device device;
  return (uint64_t{device()} << 32 | device()) & ((uint64_t{1} << 53) - 1);
}

}  // namespace

Result<Session> open_session(Env& env, const SessionArgs& args) {
  // The AMX permission must be asked for before any thread starts.
  const engine::MachineFacts machine = engine::look_at_machine(env);
  auto opened = TRY(engine::OpenedModel::open(env, args.model, args.revision, args.engine.dtype));
  for (const std::string& warning : opened->warnings()) log_warning("{}", warning);
  TextCodec codec = TRY(TextCodec::create(opened->documents(), opened->spec().vocab));
  if (const auto warning = codec.warning()) log_warning("{}", *warning);
  const engine::ResolvedConfig config =
      TRY(engine::resolve(args.engine, machine, opened->spec(), opened->plan()));
  print_decisions(config);
  LoadProgress progress(env, opened->plan().read_bytes);
  auto engine = TRY(engine::Engine::create(
      env, *opened, config,
      {.threads = config.threads,
       .progress = [&progress](int64_t done, int64_t) { progress.show(done); }}));
  progress.finish();
  log_info("memory: {}", engine->worker().account().summary());
  return Session{std::move(opened), std::move(codec), std::move(engine)};
}

sampling::SamplingParams make_sampling(const SamplingFlags& flags,
                                       const model::GenerationDefaults& defaults) {
  sampling::SamplingParams params;
  const bool filters = flags.top_k || flags.top_p || flags.min_p;
  const bool samples = defaults.do_sample.value_or(false) || filters;
  params.temperature =
      flags.temperature.value_or(samples ? defaults.temperature.value_or(1.0) : 0.0);
  params.top_k = flags.top_k.value_or(defaults.top_k.value_or(0));
  params.top_p = flags.top_p.value_or(defaults.top_p.value_or(1.0));
  params.min_p = flags.min_p.value_or(defaults.min_p.value_or(0.0));
  params.seed = flags.seed ? static_cast<uint64_t>(*flags.seed) : random_seed();
  if (params.temperature == 0 && (filters || flags.seed)) {
    log_warning("--top-k, --top-p, --min-p and --seed have no effect at temperature 0");
  }
  return params;
}

}  // namespace strata::apps
