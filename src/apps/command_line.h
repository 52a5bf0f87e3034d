// The command line: which command, which model, which values. The table of commands makes parsing,
// --help and docs/flags.md; a command's work is elsewhere.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct Command {
  std::string_view name;     // "generate", "bench latency"
  std::string_view summary;  // one line
  bool takes_model = false;
  std::vector<FieldList> fields;
  Result<void> (*run)(Env& env, const std::string& model, const FieldValues& values) = nullptr;
  FieldList files = {};  // arguments after the model, all needed; `unit` is what help calls them
  /// In `run`'s place for a command about commands: gets the rest of the line as it is.
  Result<void> (*run_on_commands)(Env& env, std::span<const Command> commands,
                                  std::vector<std::string> arguments) = nullptr;
};

/// Runs what the arguments (without the program's name) ask for. kInvalidArgument for what is not
/// understood, with the nearest word where there is one.
Result<void> run_command_line(Env& env, std::span<const Command> commands,
                              std::vector<std::string> arguments);

/// Takes the words of a command's name off the front of `arguments`; nullptr where they name none.
const Command* take_command(std::span<const Command> commands, std::vector<std::string>& arguments);

/// The failure where take_command() found none: there must be an argument.
std::unexpected<Status> unknown_command(std::span<const Command> commands,
                                        const std::vector<std::string>& arguments);

/// Help on all commands, or on one.
std::string overview(std::span<const Command> commands);
std::string command_help(const Command& command);

/// docs/flags.md.
std::string flags_document(std::span<const Command> commands);

}  // namespace strata::apps
