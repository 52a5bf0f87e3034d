// A walk over environ.
#include "base/environment.h"

#include <unistd.h>

#include <algorithm>

namespace strata {

std::vector<std::string> environment_names(std::string_view prefix) {
  std::vector<std::string> names;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; variable++) {
    const std::string_view text = *variable;
    if (text.starts_with(prefix)) names.emplace_back(text.substr(0, text.find('=')));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace strata
