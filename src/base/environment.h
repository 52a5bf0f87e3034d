// Which variables the process's environment has. Their values are Env's; this is for finding the
// ones that nobody asks for, because their names are mistyped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace strata {

/// Names of the variables that begin with `prefix`, sorted.
std::vector<std::string> environment_names(std::string_view prefix);

}  // namespace strata
