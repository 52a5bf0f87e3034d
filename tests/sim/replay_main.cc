// strata-replay TRACE [--print]: the inputs of a --trace-steps file through a fresh scheduler. A
// line per difference, with --print also one per plan, and a last line "N steps, N differences";
// exit code 1 where there were any, and an error's own code where the file is no whole trace.
#include <fmt/core.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "sim/replay_file.h"

namespace strata::sim {
namespace {

void print_line(const std::string& line) { fmt::print("{}\n", line); }

int run(const std::vector<std::string_view>& words) {
  std::string path;
  bool print = false, understood = true;
  for (const std::string_view word : words) {
    if (word == "--print") {
      print = true;
    } else if (path.empty() && !word.starts_with("-")) {
      path = word;
    } else {
      understood = false;
    }
  }
  if (path.empty() || !understood) {
    fmt::print(stderr, "usage: strata-replay TRACE [--print]\n");
    return 2;
  }
  ReplayPrinter printer{.on_difference = print_line};
  if (print) printer.on_plan = print_line;
  const auto outcome = replay_file(real_env(), path, printer);
  if (!outcome) {
    fmt::print(stderr, "{}\n", outcome.error().message());
    return exit_code(outcome.error().code);
  }
  fmt::print("{} steps, {} differences\n", outcome->steps, outcome->differences);
  return outcome->differences == 0 ? 0 : 1;
}

}  // namespace
}  // namespace strata::sim

int main(int argc, char** argv) { return strata::sim::run({argv + 1, argv + argc}); }
