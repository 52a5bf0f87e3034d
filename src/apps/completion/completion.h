// `strata completion`: scripts that let a shell complete commands, flags and values, made from the
// same table as --help.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "apps/command_line.h"

namespace strata::apps {

/// The one argument: the shell.
FieldList completion_files();

/// `shell`: "bash", "zsh" or "fish".
std::string completion_script(std::span<const Command> commands, std::string_view shell);

}  // namespace strata::apps
