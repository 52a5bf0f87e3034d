// `strata config show`: what a command's flags would be, and who said so.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/command_line.h"
#include "apps/config/line.h"
#include "base/env.h"

namespace strata::apps {

FieldList config_show_fields();
FieldList config_show_files();

/// `arguments`: a command (without one: serve) and what could stand behind it. Nothing is run.
Result<void> show_config(Env& env, std::span<const Command> commands,
                         std::vector<std::string> arguments);

/// Lines of YAML, "port: 8080"; with `origins` a comment behind each, and one for each setting that
/// only other commands have. Secrets are hidden.
std::string config_text(const Command& command, const Line& line, bool origins);

}  // namespace strata::apps
