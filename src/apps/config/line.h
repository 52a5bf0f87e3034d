// A command's arguments to the values of its flags: the defaults, then a configuration file, the
// environment, and last the command line. Which command it is has been found before.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/command_line.h"
#include "apps/config/settings.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct Line {
  bool help = false;  // was asked for: nothing else has been looked at
  FieldValues values;
  std::vector<UnusedSetting> unused = {};
};

/// kInvalidArgument for what is not understood or out of range, with the nearest flag. Whether all
/// arguments are there is the caller's question.
Result<Line> read_line(Env& env, std::span<const Command> commands, const Command& command,
                       std::vector<std::string> arguments);

/// The failure for a word that nothing is called: `what`, and the candidate nearest to `word`
/// behind `prefix`, or else the hint `otherwise`.
std::unexpected<Status> unknown_word(std::string what, std::string_view word,
                                     const std::vector<std::string>& candidates,
                                     std::string_view prefix, std::string_view otherwise);

}  // namespace strata::apps
