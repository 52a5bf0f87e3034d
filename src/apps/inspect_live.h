// `strata inspect --live PID`: what a running engine holds and does.
#pragma once

#include <string>

#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

/// Prints to stdout: the statistics as they come, or for people. Fails as ask_process does
/// (live.h).
Result<void> run_inspect_live(Env& env, const std::string& pid, bool json);

}  // namespace strata::apps
