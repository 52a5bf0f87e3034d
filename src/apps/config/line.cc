// CLI11 splits the line (it throws: nothing thrown leaves this file); the fields check the values.
#include "apps/config/line.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace strata::apps {
namespace {

// What the line says, unchecked.
struct Typed {
  bool help = false;
  std::map<std::string, std::optional<std::string>> texts;
  std::vector<std::string> extras;
};

std::vector<FieldList> flag_lists(const Command& command) {
  std::vector<FieldList> lists = command.fields;
  lists.push_back(common_fields());
  return lists;
}

const ConfigField* find_flag(const Command& command, std::string_view name) {
  for (const FieldList& list : flag_lists(command)) {
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
    const ConfigField* field = find_flag(command, name);
    if (field == nullptr) continue;
    argument.replace(2, end - 2, name);
    if (field->kind != FieldKind::kSwitch && end == argument.size()) i++;
  }
}

std::vector<std::string> flag_names(const Command& command) {
  std::vector<std::string> names = {"help"};
  for (const FieldList& list : flag_lists(command)) {
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
  return unknown_word(fmt::format("strata {} has no flag {}", command.name, flag), word,
                      flag_names(command), "--", fmt::format("see strata {} --help", command.name));
}

void add_flag(CLI::App& app, const ConfigField& field, Typed& typed) {
  const std::string name(field.name);
  if (field.kind == FieldKind::kSwitch) {
    app.add_flag_function(
        "--" + name, [&typed, name](int64_t on) { typed.texts[name] = on > 0 ? "true" : "false"; });
  } else {
    app.add_option_function<std::string>(
        "--" + name, [&typed, name](const std::string& text) { typed.texts[name] = text; });
  }
}

Result<Typed> split_line(const Command& command, std::vector<std::string> arguments) {
  Typed typed;
  try {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    app.add_flag("-h,--help", typed.help);
    if (command.takes_model) app.add_option("MODEL", typed.texts["model"]);
    for (const ConfigField& file : command.files) {
      app.add_option(std::string(file.name), typed.texts[std::string(file.name)]);
    }
    for (const FieldList& list : flag_lists(command)) {
      for (const ConfigField& field : list) add_flag(app, field, typed);
    }
    std::ranges::reverse(arguments);
    app.parse(arguments);
    typed.extras = app.remaining();
  } catch (const CLI::Error& error) {
    return fail(Code::kInvalidArgument, fmt::format("strata {}: {}", command.name, error.what()));
  }
  return typed;
}

}  // namespace

std::unexpected<Status> unknown_word(std::string what, std::string_view word,
                                     const std::vector<std::string>& candidates,
                                     std::string_view prefix, std::string_view otherwise) {
  const std::string near = closest_word(word, candidates);
  const std::string hint =
      near.empty() ? std::string(otherwise) : fmt::format("did you mean {}{}?", prefix, near);
  return fail(Code::kInvalidArgument, std::move(what), {}, {}, hint);
}

Result<Line> read_line(Env& env, std::span<const Command> commands, const Command& command,
                       std::vector<std::string> arguments) {
  std::vector<FieldList> lists = flag_lists(command);
  lists.push_back(model_fields(command));
  lists.push_back(command.files);
  Line line{.values = FieldValues(std::move(lists))};
  normalise(command, arguments);
  const Typed typed = TRY(split_line(command, std::move(arguments)));
  line.help = typed.help;
  if (line.help) return line;
  TRY(check_extras(command, typed.extras));
  const auto path = typed.texts.find("config");
  line.unused = TRY(apply_settings(
      env, commands, command,
      path != typed.texts.end() ? *path->second : env.get_env("STRATA_CONFIG").value_or(""),
      line.values));
  for (const auto& [name, text] : typed.texts) {
    if (text) TRY(line.values.set(name, *text));
  }
  return line;
}

}  // namespace strata::apps
