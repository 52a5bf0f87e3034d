// Finding the command, checking that its arguments are there, and printing help. How flags get
// their values is config/line.h's.
#include "apps/command_line.h"

#include <fmt/core.h>

#include "apps/config/line.h"
#include "apps/config/settings.h"
#include "apps/standard_output.h"
#include "base/version.h"

namespace strata::apps {
namespace {

constexpr std::string_view kModelHelp =
    "MODEL is a Hugging Face folder, org/name in the local cache, or pebble, which comes with "
    "Strata\n"
    "and is taken where a MODEL may be left out.";

bool asks_for_help(std::string_view word) {
  return word == "-h" || word == "--help" || word == "help";
}

// "batch MODEL IN.jsonl OUT.jsonl". Only what nothing follows can be left out.
std::string with_arguments(const Command& command) {
  std::string text(command.name);
  if (command.takes_model) text += command.files.empty() ? " [MODEL]" : " MODEL";
  for (const ConfigField& file : command.files) text += fmt::format(" {}", file.unit);
  return text;
}

// "strata bench --help": the commands that begin with this word; empty where none does.
std::string family_help(std::span<const Command> commands, std::string_view word) {
  std::string text;
  for (const Command& command : commands) {
    const size_t space = command.name.find(' ');
    if (space == std::string_view::npos || command.name.substr(0, space) != word) continue;
    text += fmt::format("  {:<18}{}\n", command.name, command.summary);
  }
  if (text.empty()) return text;
  return fmt::format("usage: strata {} COMMAND [ARGUMENT...]\n\n{}", word, text);
}

}  // namespace

const Command* take_command(std::span<const Command> commands,
                            std::vector<std::string>& arguments) {
  for (const Command& command : commands) {
    const size_t space = command.name.find(' ');
    const std::string first(command.name.substr(0, space));
    if (arguments.empty() || arguments[0] != first) continue;
    if (space == std::string_view::npos) {
      arguments.erase(arguments.begin());
      return &command;
    }
    if (arguments.size() < 2 || arguments[1] != command.name.substr(space + 1)) continue;
    arguments.erase(arguments.begin(), arguments.begin() + 2);
    return &command;
  }
  return nullptr;
}

std::unexpected<Status> unknown_command(std::span<const Command> commands,
                                        const std::vector<std::string>& arguments) {
  std::vector<std::string> names, seconds;
  for (const Command& command : commands) {
    const size_t space = command.name.find(' ');
    names.emplace_back(command.name.substr(0, space));
    if (space != std::string_view::npos && names.back() == arguments[0]) {
      seconds.emplace_back(command.name.substr(space + 1));
    }
  }
  if (seconds.empty()) {
    return unknown_word(fmt::format("no command \"{}\"", arguments[0]), arguments[0], names,
                        "strata ", "see strata --help");
  }
  std::string choice;
  for (const std::string& second : seconds)
    choice += fmt::format("{}{}", choice.empty() ? "" : " or ", second);
  const std::string given = arguments.size() > 1 ? fmt::format(" \"{}\"", arguments[1]) : "";
  return fail(Code::kInvalidArgument, fmt::format("strata {}{}", arguments[0], given), {}, choice);
}

Result<void> run_command_line(Env& env, std::span<const Command> commands,
                              std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "--version")
    return write_stdout(std::string(kProgram) + "\n");
  if (arguments.empty()) {
    return fail(Code::kInvalidArgument, "no command", {}, {}, "see strata --help");
  }
  if (asks_for_help(arguments[0])) return write_stdout(overview(commands));
  const Command* command = take_command(commands, arguments);
  if (command == nullptr && arguments.size() > 1 && asks_for_help(arguments[1])) {
    const std::string family = family_help(commands, arguments[0]);
    if (!family.empty()) return write_stdout(family);
  }
  if (command == nullptr) return unknown_command(commands, arguments);
  if (command->run_on_commands != nullptr) {
    return command->run_on_commands(env, commands, std::move(arguments));
  }
  const Line line = TRY(read_line(env, commands, *command, std::move(arguments)));
  if (line.help) return write_stdout(command_help(*command));
  for (const ConfigField& file : command->files) {
    if (line.values.given(file.name)) continue;
    return fail(Code::kInvalidArgument, fmt::format("strata {}: no {}", command->name, file.unit),
                {}, std::string(file.help), fmt::format("see strata {} --help", command->name));
  }
  return command->run(env, command->takes_model ? line.values.text("model") : "", line.values);
}

std::string overview(std::span<const Command> commands) {
  std::string text =
      "Strata runs open language models on whatever memory a machine has.\n\nusage: strata COMMAND "
      "[ARGUMENT...]\n\n";
  for (const Command& command : commands) {
    text += fmt::format("  {:<18}{}\n", command.name, command.summary);
  }
  return text +
         "\nstrata COMMAND --help shows its flags. Results go to standard output, everything else "
         "to standard error.\n";
}

std::string command_help(const Command& command) {
  std::string text =
      fmt::format("{}\n\nusage: strata {} [FLAG...]\n\n", command.summary, with_arguments(command));
  if (command.takes_model) text += fmt::format("{}\n\n", kModelHelp);
  for (const FieldList& list : command.fields) text += help_lines(list);
  text += help_lines(common_fields());
  return text + "\nDefaults stand in brackets; _ and - in flags mean the same.\n";
}

std::string flags_document(std::span<const Command> commands) {
  std::string text =
      "# Flags\n\nGenerated from the field lists in the sources; a test checks that it is up to "
      "date\n"
      "(`STRATA_UPDATE_DOCS=1 build/dev/command_line_test` rewrites it).\n"
      "`_` and `-` in flags mean the same. Flags may stand in a file or in the environment "
      "instead\n"
      "([config.md](config.md)): every command takes `--config`. Exit codes: "
      "[exit-codes.md](exit-codes.md).\n"
      "\n## All commands\n\n| flag | default | value | meaning |\n|---|---|---|---|\n" +
      markdown_rows(common_fields());
  for (const Command& command : commands) {
    text += fmt::format("\n## strata {}\n\n{}.\n", with_arguments(command), command.summary);
    text += "\n| flag | default | value | meaning |\n|---|---|---|---|\n";
    for (const FieldList& list : command.fields) text += markdown_rows(list);
  }
  return text;
}

}  // namespace strata::apps
