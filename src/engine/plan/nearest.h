// Settings near those asked for with which a run would fit: what the refusal of one that does not
// names. Pure: whether a setting fits is asked of the caller.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "engine/config.h"

namespace strata::engine {

using Fits = std::function<bool(const EngineConfig& config)>;

/// Up to three settings, each of which alone would do: "any one of: --memory 131MiB; --threads 1".
/// Empty where none is found. `most_memory`: that --memory may be raised to; `threads`: as
/// resolved.
std::string nearest_settings(const EngineConfig& asked, const Fits& fits, int64_t most_memory,
                             int threads);

}  // namespace strata::engine
