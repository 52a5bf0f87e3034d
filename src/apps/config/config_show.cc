// Values are printed as they were given: what "auto" comes to is strata plan's to say.
#include "apps/config/config_show.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "apps/standard_output.h"
#include "base/json.h"

namespace strata::apps {
namespace {

constexpr std::string_view kUsual = "serve";  // the command that is configured most

constexpr ConfigField kFields[] = {
    {.name = "origin",
     .kind = FieldKind::kSwitch,
     .help = "say where each value comes from: default, file:line, variable or command line"},
};
constexpr ConfigField kFiles[] = {{.name = "command", .unit = "[COMMAND]"}};

// A text that YAML reads as itself stands bare, every other one as JSON's string, which YAML reads.
std::string quoted(const std::string& text) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || (c != 0 && std::string_view("._/+").contains(c));
  };
  if (!text.empty() && std::ranges::all_of(text, plain)) return text;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string value_text(const ConfigField& field, const std::string& text) {
  if (field.secret && !text.empty()) return "(hidden)";
  const bool number = field.kind == FieldKind::kInteger || field.kind == FieldKind::kNumber;
  return number ? text : quoted(text);
}

std::string origin_text(const FieldOrigin& origin) {
  if (origin.kind == OriginKind::kDefault) return "default";
  return origin.kind == OriginKind::kCommandLine ? "command line" : origin.where;
}

}  // namespace

FieldList config_show_fields() { return kFields; }
FieldList config_show_files() { return kFiles; }

std::string config_text(const Command& command, const Line& line, bool origins) {
  constexpr size_t kComment = 40;  // the column of comments, where values are not longer
  std::string text;
  std::vector<FieldList> lists = {model_fields(command)};
  lists.insert(lists.end(), command.fields.begin(), command.fields.end());
  lists.push_back(common_fields());
  for (const FieldList& list : lists) {
    for (const ConfigField& field : list) {
      std::string row =
          fmt::format("{}: {}", field.name, value_text(field, line.values.text(field.name)));
      if (origins) {
        row =
            fmt::format("{:<{}} # {}", row, kComment, origin_text(line.values.origin(field.name)));
      }
      text += row + "\n";
    }
  }
  if (!origins) return text;
  for (const UnusedSetting& setting : line.unused) {
    text += fmt::format("# {}: strata {} has no --{}\n", setting.where, command.name, setting.name);
  }
  return text;
}

Result<void> show_config(Env& env, std::span<const Command> commands,
                         std::vector<std::string> arguments) {
  if (arguments.empty() || arguments[0].starts_with("-")) {
    arguments.insert(arguments.begin(), std::string(kUsual));
  }
  const Command* command = take_command(commands, arguments);
  if (command == nullptr) return unknown_command(commands, arguments);
  Command shown = *command;
  shown.fields.emplace_back(kFields);
  const Line line = TRY(read_line(env, commands, shown, std::move(arguments)));
  if (!line.help) return write_stdout(config_text(*command, line, line.values.is_on("origin")));
  for (const Command& one : commands) {
    if (one.run_on_commands == show_config) return write_stdout(command_help(one));
  }
  return {};
}

}  // namespace strata::apps
