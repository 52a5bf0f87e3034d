// Each script knows its commands; what a flag's value may be is asked of the field. Models are what
// the hub's cache holds, and paths.
#include "apps/completion/completion.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

#include "apps/config/settings.h"

namespace strata::apps {
namespace {

constexpr ConfigField kFiles[] = {{.name = "shell",
                                   .kind = FieldKind::kChoice,
                                   .unit = "bash|zsh|fish",
                                   .choices = "bash|zsh|fish",
                                   .help = "the shell that is to complete"}};

enum class ValueKind : uint8_t { kNone, kWords, kFile, kFolder, kModel, kAnything };

struct Value {
  ValueKind kind = ValueKind::kAnything;
  std::string words = {};  // between blanks
};

Value value_of(const ConfigField& field) {
  const auto names = [&](std::string_view word) { return field.unit.contains(word); };
  if (field.kind == FieldKind::kSwitch) return {ValueKind::kNone};
  if (field.kind == FieldKind::kChoice) {
    std::string words;
    for (const std::string& choice : choices_of(field))
      words += (words.empty() ? "" : " ") + choice;
    return {ValueKind::kWords, words};
  }
  if (field.kind != FieldKind::kText) {
    const bool word = !field.fallback.empty() && std::isalpha(field.fallback[0]) != 0;
    return word ? Value{ValueKind::kWords, std::string(field.fallback)} : Value{};
  }
  if (names("FILE") || names("PATH") || names(".jsonl")) return {ValueKind::kFile};
  if (names("DIR")) return {ValueKind::kFolder};
  return {names("MODEL") ? ValueKind::kModel : ValueKind::kAnything};
}

std::vector<const ConfigField*> flags_of(const Command& command) {
  std::vector<const ConfigField*> flags;
  std::vector<FieldList> lists = command.fields;
  lists.push_back(common_fields());
  for (const FieldList& list : lists) {
    for (const ConfigField& field : list) flags.push_back(&field);
  }
  return flags;
}

// "bench", and what may follow it: "kernels plan". A command of one word is followed by nothing.
struct FirstWord {
  std::string name;
  std::string summary;
  std::string seconds = {};
};

std::vector<FirstWord> first_words(std::span<const Command> commands) {
  std::vector<FirstWord> words;
  for (const Command& command : commands) {
    const size_t space = std::min(command.name.find(' '), command.name.size());
    const std::string first(command.name.substr(0, space));
    if (words.empty() || words.back().name != first) {
      words.push_back({first, std::string(command.summary)});
    }
    if (space == command.name.size()) continue;
    words.back().seconds += fmt::format("{}{}", words.back().seconds.empty() ? "" : " ",
                                        command.name.substr(space + 1));
  }
  return words;
}

// Within single quotes, of every shell here.
std::string quoted(std::string_view text) {
  std::string made;
  for (const char c : text) made += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "'" + made + "'";
}

constexpr std::string_view kModelsOfCache =
    R"(${HF_HUB_CACHE:-${HF_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/huggingface}/hub})";

// ---- bash

constexpr std::string_view kBashEnd = R"BASH(
_strata_models() {
  local folder name
  echo pebble
  for folder in "@CACHE@"/models--*--*; do
    [[ -d $folder ]] || continue
    name=${folder##*/models--}
    echo "${name%%--*}/${name#*--}"
  done
}

_strata_complete() {
  local kind=$1 cur=$2
  case $kind in
    words\ *) mapfile -t COMPREPLY < <(compgen -W "${kind#words }" -- "$cur") ;;
    model)
      mapfile -t COMPREPLY < <(compgen -W "$(_strata_models)" -- "$cur"; compgen -f -- "$cur")
      compopt -o filenames 2>/dev/null ;;
    file)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      compopt -o filenames 2>/dev/null ;;
    folder)
      mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      compopt -o filenames 2>/dev/null ;;
  esac
  return 0
}

_strata() {
  local cur=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  local seconds kind=""
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    _strata_complete "words $(_strata_commands) --help --version" "$cur"
    return
  fi
  seconds=$(_strata_seconds "$command")
  if [[ -n $seconds ]]; then
    if ((COMP_CWORD == 2)); then
      _strata_complete "words $seconds" "$cur"
      return
    fi
    command="$command ${COMP_WORDS[2]}"
  fi
  if [[ $cur == "=" ]]; then
    cur=""  # --flag=value comes as three words
  elif [[ $flag == "=" ]]; then
    flag=${COMP_WORDS[COMP_CWORD-2]}
  fi
  [[ $flag == --* ]] && kind=$(_strata_value "$command" "${flag//_/-}")
  if [[ -z $kind && $cur == -* ]]; then
    kind="words $(_strata_flags "$command") --help"
  elif [[ -z $kind ]]; then
    kind=$(_strata_argument "$command")
  fi
  _strata_complete "$kind" "$cur"
}

complete -F _strata strata
)BASH";

std::string bash_kind(const Value& value) {
  switch (value.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kWords:
      return "words " + value.words;
    case ValueKind::kFile:
      return "file";
    case ValueKind::kFolder:
      return "folder";
    case ValueKind::kModel:
      return "model";
    case ValueKind::kAnything:
      break;
  }
  return "anything";
}

// What stands without a flag: the model or the first file; a choice of words.
Value argument_of(const Command& command) {
  if (command.takes_model) return {ValueKind::kModel};
  return command.files.empty() ? Value{} : value_of(command.files[0]);
}

std::string bash_script(std::span<const Command> commands) {
  std::string names, seconds, flags, values, arguments;
  for (const FirstWord& word : first_words(commands)) {
    names += (names.empty() ? "" : " ") + word.name;
    if (!word.seconds.empty()) {
      seconds += fmt::format("    {}) echo {} ;;\n", word.name, quoted(word.seconds));
    }
  }
  for (const Command& command : commands) {
    std::string list;
    for (const ConfigField* flag : flags_of(command)) {
      list += fmt::format("{}--{}", list.empty() ? "" : " ", flag->name);
      const std::string kind = bash_kind(value_of(*flag));
      if (kind.empty()) continue;
      values += fmt::format("    '{} --{}') echo {} ;;\n", command.name, flag->name, quoted(kind));
    }
    flags += fmt::format("    '{}') echo '{}' ;;\n", command.name, list);
    arguments += fmt::format("    '{}') echo {} ;;\n", command.name,
                             quoted(bash_kind(argument_of(command))));
  }
  const auto function = [](std::string_view name, std::string_view subject, std::string_view rows) {
    return fmt::format("\n_strata_{}() {{\n  case {} in\n{}  esac\n}}\n", name, subject, rows);
  };
  std::string end(kBashEnd);
  end.replace(end.find("@CACHE@"), std::string_view("@CACHE@").size(), kModelsOfCache);
  return "# Completion of strata in bash: source <(strata completion bash)\n\n_strata_commands() { "
         "echo " +
         quoted(names) + "; }\n" + function("seconds", "$1", seconds) +
         function("flags", "$1", flags) + function("value", "\"$1 $2\"", values) +
         function("argument", "$1", arguments) + end;
}

// ---- zsh

constexpr std::string_view kZshEnd = R"ZSH(
_strata_models() {
  local -a names
  names=("@CACHE@"/models--*--*(N:t))
  names=(${${names#models--}/--//})
  _alternative 'cached:model of the cache:(pebble ${names})' 'paths:path:_files'
}

if [[ $funcstack[1] == _strata ]]; then
  _strata "$@"
else
  compdef _strata strata
fi
)ZSH";

// Of an _arguments description: its brackets and colons are syntax.
std::string zsh_text(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') made += '\\';
    made += c;
  }
  return made;
}

std::string zsh_action(const Value& value) {
  switch (value.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kWords:
      return ":value:(" + value.words + ")";
    case ValueKind::kFile:
      return ":file:_files";
    case ValueKind::kFolder:
      return ":folder:_files -/";
    case ValueKind::kModel:
      return ":model:_strata_models";
    case ValueKind::kAnything:
      break;
  }
  return ":value: ";
}

std::string zsh_arguments(const Command& command) {
  std::string text = "_arguments '--help[show help]'";
  for (const ConfigField* flag : flags_of(command)) {
    const std::string action = zsh_action(value_of(*flag));
    text +=
        " \\\n        " + quoted(fmt::format("--{}{}[{}]{}", flag->name, action.empty() ? "" : "=",
                                             zsh_text(flag->help), action));
  }
  const std::string argument = zsh_action(argument_of(command));
  if (command.takes_model || !command.files.empty())
    text += " \\\n        " + quoted("1" + argument);
  if (command.takes_model && !command.files.empty()) text += " \\\n        '*:file:_files'";
  return text;
}

std::string zsh_script(std::span<const Command> commands) {
  std::string names, seconds, arguments;
  for (const FirstWord& word : first_words(commands)) {
    names += fmt::format("    {}\n", quoted(word.name + ":" + zsh_text(word.summary)));
    if (!word.seconds.empty()) {
      seconds += fmt::format(
          "    {})\n      if (( CURRENT == 3 )); then compadd -- {}; return; fi\n"
          "      command=\"$command $words[3]\"; shift words; (( CURRENT-- )) ;;\n",
          word.name, word.seconds);
    }
  }
  for (const Command& command : commands) {
    arguments +=
        fmt::format("    {})\n      {} ;;\n", quoted(command.name), zsh_arguments(command));
  }
  std::string end(kZshEnd);
  end.replace(end.find("@CACHE@"), std::string_view("@CACHE@").size(), kModelsOfCache);
  return "#compdef strata\n# Completion of strata in zsh: source <(strata completion zsh), or as "
         "_strata "
         "in a folder of $fpath\n\n_strata() {\n  local command=$words[2]\n  local -a names\n  "
         "names=(\n" +
         names +
         "  )\n  if (( CURRENT == 2 )); then _describe command names; return; fi\n"
         "  case $command in\n" +
         seconds + "  esac\n  shift words; (( CURRENT-- ))\n  case $command in\n" + arguments +
         "  esac\n}\n" + end;
}

// ---- fish

std::string fish_value(const Value& value) {
  switch (value.kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kWords:
      return " -x -a " + quoted(value.words);
    case ValueKind::kFile:
      return " -r -F";
    case ValueKind::kFolder:
      return " -x -a '(__fish_complete_directories)'";
    case ValueKind::kModel:
      return " -r -F -a '(__strata_models)'";
    case ValueKind::kAnything:
      break;
  }
  return " -x";
}

constexpr std::string_view kFishBegin =
    R"FISH(# Completion of strata in fish: strata completion fish | source

function __strata_models
    set -l hub $HOME/.cache/huggingface/hub
    test -n "$XDG_CACHE_HOME"; and set hub $XDG_CACHE_HOME/huggingface/hub
    test -n "$HF_HOME"; and set hub $HF_HOME/hub
    test -n "$HF_HUB_CACHE"; and set hub $HF_HUB_CACHE
    echo pebble
    for folder in $hub/models--*--*
        string replace -- '--' '/' (string replace -r '.*/models--' '' $folder)
    end
end

complete -c strata -f
)FISH";

std::string fish_condition(std::string_view command) {
  const size_t space = command.find(' ');
  const std::string_view first = command.substr(0, space);
  if (space == std::string_view::npos) {
    return fmt::format("'__fish_seen_subcommand_from {}; and test (commandline -opc)[2] = {}'",
                       first, first);
  }
  return fmt::format("'test \"$(commandline -opc)[2..3]\" = \"{}\"'", command);
}

std::string fish_script(std::span<const Command> commands) {
  std::string text(kFishBegin);
  for (const FirstWord& word : first_words(commands)) {
    text += fmt::format("complete -c strata -n __fish_use_subcommand -a {} -d {}\n", word.name,
                        word.seconds.empty() ? quoted(word.summary) : quoted(word.seconds));
    if (word.seconds.empty()) continue;
    text += fmt::format(
        "complete -c strata -n 'test (count (commandline -opc)) = 2; and "
        "__fish_seen_subcommand_from {}' -a '{}'\n",
        word.name, word.seconds);
  }
  for (const Command& command : commands) {
    const std::string when = fish_condition(command.name);
    text += fmt::format("complete -c strata -n {} -l help -d 'show help'\n", when);
    const Value argument = argument_of(command);
    if (argument.kind != ValueKind::kAnything) {
      text += fmt::format("complete -c strata -n {}{}\n", when,
                          argument.kind == ValueKind::kModel ? " -F -a '(__strata_models)'"
                                                             : " -a " + quoted(argument.words));
    }
    for (const ConfigField* flag : flags_of(command)) {
      text += fmt::format("complete -c strata -n {} -l {}{} -d {}\n", when, flag->name,
                          fish_value(value_of(*flag)), quoted(flag->help));
    }
  }
  return text;
}

}  // namespace

FieldList completion_files() { return kFiles; }

std::string completion_script(std::span<const Command> commands, std::string_view shell) {
  if (shell == "zsh") return zsh_script(commands);
  return shell == "fish" ? fish_script(commands) : bash_script(commands);
}

}  // namespace strata::apps
