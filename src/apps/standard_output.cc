// Written through the C library, as everything else that commands print.
#include "apps/standard_output.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace strata::apps {

Result<void> write_stdout(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return {};
  return fail(Code::kIo, "standard output: " + std::generic_category().message(errno));
}

}  // namespace strata::apps
