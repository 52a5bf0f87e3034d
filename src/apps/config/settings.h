// What a configuration file and the environment say about a command's flags. The command line comes
// after both and wins (line.h).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/command_line.h"
#include "base/config_fields.h"
#include "base/env.h"

namespace strata::apps {

/// A key or variable that another command has.
struct UnusedSetting {
  std::string name;   // "port"
  std::string where;  // "serve.yaml:3", "STRATA_PORT"
};

/// Sets what `path` (empty: no file) and then the variables STRATA_* that are not empty say.
/// kInvalidArgument names
/// file and line or variable, the key, what is allowed or the nearest key of any command. Returns
/// what only other commands have: one file serves several of them. Variables that are nearly a
/// flag's are warned of.
Result<std::vector<UnusedSetting>> apply_settings(Env& env, std::span<const Command> commands,
                                                  const Command& command, const std::string& path,
                                                  FieldValues& values);

/// The flag that names the file; every command has it.
FieldList common_fields();
/// MODEL, for the commands that take one; it stands without its name on the command line.
FieldList model_fields(const Command& command);

}  // namespace strata::apps
