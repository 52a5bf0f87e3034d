// How many rows a step may have where weights are streamed: as many as the disk's time for a pass
// is worth. Between prices (calibrate.h) and the engine, which takes the number as the
// configuration's. Pure.
#pragma once

#include <cstdint>

#include "engine/opened_model.h"
#include "engine/resolve.h"
#include "placement/cost.h"

namespace strata::engine {

/// A step is this near to the rate at which the largest one would take prompts in.
inline constexpr double kShareOfBestRate = 0.9;

/// Where weights are streamed and nobody named --max-num-batched-tokens: lowers the rows that the
/// scheduler gives a step, and a chunk with them, to where computing takes as long as reading, or
/// on to where prompts go in at kShareOfBestRate of the rate of the rows that `config` has. Up to
/// the balance a row costs nothing; beyond, a step lasts longer, for all that decode in it. Never
/// below --max-num-seqs and an asked --prefill-chunk. Nothing changes where a price is unknown.
/// Memory stays that of the rows before: what `strata plan` says of it does not depend on prices.
void balance_step(ResolvedConfig& config, const OpenedModel& opened,
                  const placement::CostTable& costs);

}  // namespace strata::engine
