// `strata adjust PID`: orders to a running engine of this user. So far one: a lower memory ceiling.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct AdjustArgs {
  std::string pid;
  std::optional<int64_t> memory_bytes = {};
  bool json = false;
};

FieldList adjust_fields();

/// Waits until the engine has obeyed; prints what it gave up. kInvalidArgument where nothing is
/// asked for; what the engine refuses comes back as its message.
Result<void> run_adjust(Env& env, const AdjustArgs& args);

}  // namespace strata::apps
