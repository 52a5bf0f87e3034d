// The strata program: runs a command, turns a failure into one line and an exit code.
#include <malloc.h>

#include <string>
#include <vector>

#include "apps/commands.h"
#include "base/env.h"
#include "base/log.h"

namespace {

// What is freed goes back: with an arena for each thread, and blocks that stay once they were
// large, grammars left half as much again resident as they held.
void keep_no_freed_memory() {
  constexpr int kBytes = 256 << 10;
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, kBytes);
  mallopt(M_TRIM_THRESHOLD, 2 * kBytes);
}

}  // namespace

int main(int argc, char** argv) {
  keep_no_freed_memory();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto done =
      strata::apps::run_command_line(strata::real_env(), strata::apps::all_commands(), arguments);
  if (done) return 0;
  strata::log_line(strata::LogLevel::kError, done.error().message());
  return strata::exit_code(done.error().code);
}
