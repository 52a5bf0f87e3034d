// Finding the command, parsing its flags with CLI11 (which throws: nothing thrown leaves this
// file), and printing help.
#include "apps/command_line.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>

#include "base/version.h"
#include "checkpoint/model_folder.h"

namespace strata::apps {
namespace {

constexpr std::string_view kModelHelp =
    "MODEL is a Hugging Face folder, org/name in the local cache, or pebble, which comes with "
    "Strata\n"
    "and is taken where a MODEL may be left out.";

struct Parsed {
  std::string model;
  bool help = false;
};

bool asks_for_help(std::string_view word) {
  return word == "-h" || word == "--help" || word == "help";
}

std::unexpected<Status> unknown(std::string what, std::string_view word,
                                const std::vector<std::string>& candidates, std::string_view prefix,
                                std::string_view otherwise) {
  const std::string near = closest_word(word, candidates);
  const std::string hint =
      near.empty() ? std::string(otherwise) : fmt::format("did you mean {}{}?", prefix, near);
  return fail(Code::kInvalidArgument, std::move(what), {}, {}, hint);
}

// Takes the words of the command's name off the front.
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
    return unknown(fmt::format("no command \"{}\"", arguments[0]), arguments[0], names, "strata ",
                   "see strata --help");
  }
  std::string choice;
  for (const std::string& second : seconds)
    choice += fmt::format("{}{}", choice.empty() ? "" : " or ", second);
  const std::string given = arguments.size() > 1 ? fmt::format(" \"{}\"", arguments[1]) : "";
  return fail(Code::kInvalidArgument, fmt::format("strata {}{}", arguments[0], given), {}, choice);
}

const ConfigField* find_field(const Command& command, std::string_view name) {
  for (const FieldList& list : command.fields) {
    for (const ConfigField& field : list) {
      if (field.name == name) return &field;
    }
  }
  return nullptr;
}

// --max_num_seqs and --max-num-seqs are the same flag; values that look like flags stay as they
// are.
void normalise(const Command& command, std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); i++) {
    std::string& argument = arguments[i];
    if (!argument.starts_with("--")) continue;
    const size_t end = std::min(argument.find('='), argument.size());
    std::string name = argument.substr(2, end - 2);
    std::ranges::replace(name, '_', '-');
    const ConfigField* field = find_field(command, name);
    if (field == nullptr) continue;
    argument.replace(2, end - 2, name);
    if (field->kind != FieldKind::kSwitch && end == argument.size()) i++;
  }
}

std::vector<std::string> flag_names(const Command& command) {
  std::vector<std::string> names = {"help"};
  for (const FieldList& list : command.fields) {
    for (const ConfigField& field : list) names.emplace_back(field.name);
  }
  return names;
}

Result<void> check_extras(const Command& command, const std::vector<std::string>& extras) {
  if (extras.empty()) return {};
  const std::string& first = extras.front();
  if (!first.starts_with("-")) {
    return fail(Code::kInvalidArgument, fmt::format("strata {}", command.name),
                fmt::format("\"{}\" too many", first), {},
                "values of flags follow their flag; see --help");
  }
  const std::string flag = first.substr(0, first.find('='));
  const std::string_view word =
      std::string_view(flag).substr(std::min(flag.find_first_not_of('-'), flag.size()));
  return unknown(fmt::format("strata {} has no flag {}", command.name, flag), word,
                 flag_names(command), "--", fmt::format("see strata {} --help", command.name));
}

Result<Parsed> parse(const Command& command, std::vector<std::string> arguments,
                     FieldValues& values) {
  Parsed parsed;
  std::map<std::string, std::optional<std::string>> texts;
  std::map<std::string, bool> switches;
  std::vector<std::string> extras;
  try {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    app.add_flag("-h,--help", parsed.help);
    if (command.takes_model) app.add_option("MODEL", parsed.model);
    for (const ConfigField& file : command.files) {
      app.add_option(std::string(file.name), texts[std::string(file.name)]);
    }
    for (const FieldList& list : command.fields) {
      for (const ConfigField& field : list) {
        const std::string name(field.name);
        const std::string flag = "--" + name;
        if (field.kind == FieldKind::kSwitch) {
          app.add_flag(flag, switches[name]);
        } else {
          app.add_option_function<std::string>(
              flag, [&texts, name](const std::string& text) { texts[name] = text; });
        }
      }
    }
    std::ranges::reverse(arguments);
    app.parse(arguments);
    extras = app.remaining();
  } catch (const CLI::ParseError& error) {
    return fail(Code::kInvalidArgument, fmt::format("strata {}: {}", command.name, error.what()));
  } catch (const CLI::Error& error) {
    return fail(Code::kInvalidArgument, fmt::format("strata {}: {}", command.name, error.what()));
  }
  if (parsed.help) return parsed;
  TRY(check_extras(command, extras));
  for (const auto& [name, text] : texts) {
    if (text) TRY(values.set(name, *text));
  }
  for (const auto& [name, on] : switches) {
    if (on) TRY(values.set(name, "true"));
  }
  return parsed;
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

Result<void> print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return {};
  return fail(Code::kIo, "standard output cannot be written");
}

}  // namespace

Result<void> run_command_line(Env& env, std::span<const Command> commands,
                              std::vector<std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "--version") return print(std::string(kProgram) + "\n");
  if (arguments.empty()) {
    return fail(Code::kInvalidArgument, "no command", {}, {}, "see strata --help");
  }
  if (asks_for_help(arguments[0])) return print(overview(commands));
  const Command* command = take_command(commands, arguments);
  if (command == nullptr && arguments.size() > 1 && asks_for_help(arguments[1])) {
    const std::string family = family_help(commands, arguments[0]);
    if (!family.empty()) return print(family);
  }
  if (command == nullptr) return unknown_command(commands, arguments);
  normalise(*command, arguments);
  std::vector<FieldList> lists = command->fields;
  lists.push_back(command->files);
  FieldValues values(std::move(lists));
  const Parsed parsed = TRY(parse(*command, std::move(arguments), values));
  if (parsed.help) return print(command_help(*command));
  for (const ConfigField& file : command->files) {
    if (values.given(file.name)) continue;
    return fail(Code::kInvalidArgument, fmt::format("strata {}: no {}", command->name, file.unit),
                {}, std::string(file.help), fmt::format("see strata {} --help", command->name));
  }
  const bool embedded = command->takes_model && parsed.model.empty();
  return command->run(env, embedded ? std::string(checkpoint::kEmbeddedModel) : parsed.model,
                      values);
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
  return text + "\nDefaults stand in brackets; _ and - in flags mean the same.\n";
}

std::string flags_document(std::span<const Command> commands) {
  std::string text =
      "# Flags\n\nGenerated from the field lists in the sources; a test checks that it is up to "
      "date\n"
      "(`STRATA_UPDATE_DOCS=1 build/dev/command_line_test` rewrites it).\n"
      "`_` and `-` in flags mean the same. Exit codes: [exit-codes.md](exit-codes.md).\n";
  for (const Command& command : commands) {
    text += fmt::format("\n## strata {}\n\n{}.\n", with_arguments(command), command.summary);
    text += "\n| flag | default | value | meaning |\n|---|---|---|---|\n";
    for (const FieldList& list : command.fields) text += markdown_rows(list);
  }
  return text;
}

}  // namespace strata::apps
