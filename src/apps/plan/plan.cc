// Resolves as a run would, measures what the cache of probes lacks, prints.
#include "apps/plan/plan.h"

#include <fmt/core.h>

#include <cstdio>

#include "apps/plan/table.h"
#include "base/log.h"

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "probe-again",
     .kind = FieldKind::kSwitch,
     .help = "measure disk and computing anew, whatever earlier runs have measured"},
    {.name = "json", .kind = FieldKind::kSwitch, .help = "print JSON"},
};

}  // namespace

FieldList plan_fields() { return kFields; }

Result<PlanArgs> make_plan_args(const std::string& model, const FieldValues& values) {
  PlanArgs args;
  args.session.model = model;
  args.session.revision = values.text("revision");
  args.session.engine = TRY(engine::make_engine_config(values));
  args.probe_again = values.is_on("probe-again");
  args.json = values.is_on("json");
  return args;
}

Result<void> run_plan(Env& env, const PlanArgs& args) {
  const auto probing = args.probe_again ? engine::Probing::kAgain : engine::Probing::kMissing;
  const Planned planned = TRY(plan_run(env, args.session, probing));
  const engine::Forecast forecast =
      engine::make_forecast(planned.config, *planned.opened, planned.prices.costs);
  const PlanTable table{planned.config, forecast, planned.prices, with_one_more_gib(planned)};
  std::string text;
  if (args.json) {
    text = plan_json(table).dump(2) + "\n";
  } else {
    for (const auto& [name, value] : plan_rows(table)) {
      text += fmt::format("{:<15} {}\n", name, value);
    }
  }
  for (const engine::Decision& decision : planned.config.decisions) {
    if (decision.name == "warning") log_warning("{}: {}", decision.value, decision.reason);
  }
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return {};
  return fail(Code::kIo, "standard output cannot be written");
}

}  // namespace strata::apps
