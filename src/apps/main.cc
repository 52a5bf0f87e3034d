// The strata program: runs a command, turns a failure into one line and an exit code.
#include <string>
#include <vector>

#include "apps/commands.h"
#include "base/env.h"
#include "base/log.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto done =
      strata::apps::run_command_line(strata::real_env(), strata::apps::all_commands(), arguments);
  if (done) return 0;
  strata::log_line(strata::LogLevel::kError, done.error().message());
  return strata::exit_code(done.error().code);
}
