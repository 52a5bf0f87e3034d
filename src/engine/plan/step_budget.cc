// Rates of a few dozen sizes of a step, from the closed form.
#include "engine/plan/step_budget.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/plan/forecast.h"

namespace strata::engine {
namespace {

constexpr int64_t kGrain = 16;  // rows: products take them in such groups
// A pass that so many more rows make no longer than this has room for them.
constexpr double kHardlyLonger = 1.01;

std::optional<placement::PassCost> pass_of(const PassPrices& prices, int64_t rows) {
  return prices.pass({.rows = rows, .logit_rows = 1}, kForecastContext);
}

struct Balance {
  int64_t rows = 0;
  placement::PassCost cost;
};

// Of at least `least` rows; nullopt where a price is unknown.
std::optional<Balance> balanced(const PassPrices& prices, int64_t least, int64_t most) {
  const auto largest = pass_of(prices, most);
  if (!largest || largest->pass_s() <= 0) return std::nullopt;
  const double enough = kShareOfBestRate * static_cast<double>(most) / largest->pass_s();
  for (int64_t rows = (least + kGrain - 1) / kGrain * kGrain; rows < most; rows += kGrain) {
    const auto cost = pass_of(prices, rows);
    const bool free_rows =
        pass_of(prices, rows + kGrain)->pass_s() <= kHardlyLonger * cost->pass_s();
    if (!free_rows && static_cast<double>(rows) >= enough * cost->pass_s())
      return Balance{rows, *cost};
  }
  return Balance{most, *largest};
}

void decide_anew(ResolvedConfig& config, std::string_view name, int64_t value, std::string reason) {
  const auto found = std::ranges::find(config.decisions, name, &Decision::name);
  if (found == config.decisions.end()) return;
  found->value = fmt::format("{}", value);
  found->reason = std::move(reason);
}

}  // namespace

void balance_step(ResolvedConfig& config, const OpenedModel& opened,
                  const placement::CostTable& costs) {
  const EngineConfig& asked = config.asked;
  if (!config.placement.streams() || asked.max_num_batched_tokens) return;
  const int64_t least = std::max(config.max_num_seqs, asked.prefill_chunk.value_or(1));
  const PassPrices prices(config, opened, costs);
  const auto found = balanced(prices, least, config.max_num_batched_tokens);
  if (!found || found->rows == config.max_num_batched_tokens) return;
  config.step_rows = found->rows;
  config.prefill_chunk = std::min(config.prefill_chunk, found->rows);
  decide_anew(
      config, "max-num-batched-tokens", found->rows,
      fmt::format("the disk takes {:.3g} s a pass, computing so many {:.3g} s; larger steps "
                  "take prompts in hardly faster",
                  found->cost.disk_s(), found->cost.busy_s()));
  if (asked.prefill_chunk) return;
  decide_anew(config, "prefill-chunk", config.prefill_chunk, "at most a step");
}

}  // namespace strata::engine
