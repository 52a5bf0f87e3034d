// Keys are found in the command's own lists, then in those of the other commands.
#include "apps/config/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "apps/config/config_file.h"
#include "base/environment.h"
#include "base/log.h"
#include "checkpoint/model_folder.h"

namespace strata::apps {
namespace {

constexpr uint64_t kMaxConfigBytes = 256 << 10;  // a file of flags has some hundred bytes

constexpr ConfigField kCommonFields[] = {
    {.name = "config",
     .unit = "FILE",
     .help = "YAML file of flags, as \"port: 8080\"; variables (STRATA_PORT) go before it, flags "
             "before both"},
};

constexpr ConfigField kModelFields[] = {
    {.name = "model",
     .fallback = checkpoint::kEmbeddedModel,
     .unit = "MODEL",
     .help = "the model, where the command line names none"},
};

// Everything that some command takes from a file.
class AllFields {
 public:
  explicit AllFields(std::span<const Command> commands) {
    for (const Command& command : commands) {
      for (const FieldList& list : command.fields) add(list);
      add(model_fields(command));
    }
    add(kCommonFields);
  }

  const ConfigField* find(std::string_view name) const {
    const auto found =
        std::ranges::find(fields_, name, [](const auto* field) { return field->name; });
    return found == fields_.end() ? nullptr : *found;
  }

  /// For a key that only other commands have: whether one of those would take the entry.
  Result<void> check(const ConfigEntry& entry, const std::string& where) const;

  std::string nearest(std::string_view name) const {
    std::vector<std::string> names;
    for (const ConfigField* field : fields_) names.emplace_back(field->name);
    return closest_word(name, names);
  }

 private:
  void add(FieldList list) {
    for (const ConfigField& field : list) fields_.push_back(&field);
  }

  std::vector<const ConfigField*> fields_;
};

// Of the command at hand. Files come from the command line alone: another command's flag of the
// same name must not stand in for one that was forgotten.
const ConfigField* own_field(const Command& command, const FieldValues& values,
                             std::string_view name) {
  if (std::ranges::find(command.files, name, &ConfigField::name) != command.files.end()) {
    return nullptr;
  }
  return values.find(name);
}

// Texts that hold JSON, and those that hold words between commas.
bool takes_json(const ConfigField& field) {
  return field.kind == FieldKind::kText &&
         (field.unit == "LIST" || field.unit == "OBJECT" || field.unit == "TEXT/LIST");
}

bool takes_words(const ConfigField& field) {
  return field.kind == FieldKind::kText && field.unit.find("[,") != std::string_view::npos;
}

std::string dumped(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The text that would stand behind the flag.
Result<std::string> text_of(const ConfigEntry& entry, const ConfigField& field,
                            const std::string& where) {
  if (!entry.nested) return entry.text;
  if (takes_json(field)) return dumped(*entry.nested);
  if (!takes_words(field) || !entry.nested->is_array()) {
    return fail(Code::kInvalidArgument, fmt::format("{}: {}", where, entry.key),
                entry.nested->is_array() ? "a list" : "a map", describe_range(field));
  }
  std::string joined;
  for (const Json& word : *entry.nested) {
    if (word.is_structured() || dumped(word).contains(',')) {
      return fail(Code::kInvalidArgument, fmt::format("{}: {}", where, entry.key),
                  json_excerpt(word), "a list of texts without commas");
    }
    joined += (joined.empty() ? "" : ",") + dumped(word);
  }
  return joined;
}

Result<void> AllFields::check(const ConfigEntry& entry, const std::string& where) const {
  Result<void> first;
  for (const ConfigField* field : fields_) {
    if (field->name != entry.key) continue;
    Result<void> taken;
    auto text = text_of(entry, *field, where);
    if (text) taken = check_value(*field, *text, fmt::format("{}: {}", where, entry.key));
    if (!text) taken = std::unexpected(std::move(text).error());
    if (taken) return {};
    if (first) first = std::move(taken);
  }
  return first;
}

std::unexpected<Status> unknown_key(const AllFields& all, const ConfigEntry& entry,
                                    const std::string& where) {
  const std::string near = all.nearest(entry.key);
  return fail(Code::kInvalidArgument, fmt::format("{}: no flag is called {}", where, entry.key), {},
              {},
              near.empty() ? "see strata COMMAND --help" : fmt::format("did you mean {}?", near));
}

struct Target {
  const Command& command;
  FieldValues& values;
  std::vector<UnusedSetting>& unused;
};

Result<void> apply_file(Env& env, const AllFields& all, const std::string& path, Target target) {
  const std::string text = TRY(env.read_small_file(path, kMaxConfigBytes));
  for (const ConfigEntry& entry : TRY(parse_config(text, path))) {
    const std::string where = fmt::format("{}:{}", path, entry.line);
    if (entry.key == kCommonFields[0].name) {
      return fail(Code::kInvalidArgument, fmt::format("{}: config", where), "a file in a file",
                  "flags and their values");
    }
    const ConfigField* own = own_field(target.command, target.values, entry.key);
    if (own == nullptr && all.find(entry.key) == nullptr) return unknown_key(all, entry, where);
    if (own != nullptr) {
      const std::string value = TRY(text_of(entry, *own, where));
      TRY(target.values.set(entry.key, value, {OriginKind::kFile, where}));
    } else {
      TRY(all.check(entry, where));
      target.unused.push_back({entry.key, where});
    }
  }
  return {};
}

// "max-num-seqs" of STRATA_MAX_NUM_SEQS.
std::string field_of(const std::string& variable) {
  std::string name = variable.substr(std::string_view("STRATA_").size());
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  std::ranges::replace(name, '_', '-');
  return name;
}

Result<void> apply_environment(Env& env, const AllFields& all, Target target) {
  for (const FieldList& list : target.values.lists()) {
    for (const ConfigField& field : list) {
      const std::string variable = variable_of(field.name);
      const std::string value = env.get_env(variable).value_or("");
      if (value.empty() || own_field(target.command, target.values, field.name) == nullptr)
        continue;
      TRY(target.values.set(field.name, value, {OriginKind::kEnvironment, variable}));
    }
  }
  for (const std::string& variable : environment_names("STRATA_")) {
    const std::string name = field_of(variable);
    if (own_field(target.command, target.values, name) != nullptr) continue;
    if (all.find(name) != nullptr) {
      target.unused.push_back({name, variable});
    } else if (const std::string near = all.nearest(name); !near.empty()) {
      log_warning("{}: no flag is called so (did you mean {}?)", variable, variable_of(near));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<UnusedSetting>> apply_settings(Env& env, std::span<const Command> commands,
                                                  const Command& command, const std::string& path,
                                                  FieldValues& values) {
  const AllFields all(commands);
  std::vector<UnusedSetting> unused;
  if (!path.empty()) TRY(apply_file(env, all, path, {command, values, unused}));
  TRY(apply_environment(env, all, {command, values, unused}));
  return unused;
}

FieldList common_fields() { return kCommonFields; }

FieldList model_fields(const Command& command) {
  return command.takes_model ? FieldList(kModelFields) : FieldList();
}

}  // namespace strata::apps
