// Text to standard output, at once. For commands that show text while it is made.
#pragma once

#include <string_view>

#include "base/status.h"

namespace strata::apps {

/// kIo where it cannot be written, as to a pipe that was closed.
Result<void> write_stdout(std::string_view text);

}  // namespace strata::apps
