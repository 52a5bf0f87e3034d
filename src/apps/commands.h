// The table of commands of the strata program.
#pragma once

#include <span>

#include "apps/command_line.h"

namespace strata::apps {

std::span<const Command> all_commands();

}  // namespace strata::apps
