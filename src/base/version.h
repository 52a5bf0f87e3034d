// The program's version, for --version and for files that say who wrote them.
#pragma once

#include <string_view>

namespace strata {

inline constexpr std::string_view kProgram = "strata 0.1.0";

}  // namespace strata
