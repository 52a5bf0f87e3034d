// Checking, searching and printing of configuration fields.
#include "base/config_fields.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace strata {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(separator, start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_number(std::string_view text) { return parse_whole<double>(text).has_value(); }

bool accepts(const ConfigField& field, std::string_view text) {
  // A default that is no number is a word with a meaning of its own.
  if (text == field.fallback && !is_number(text)) return true;
  switch (field.kind) {
    case FieldKind::kSwitch:
      return text == "true" || text == "false";
    case FieldKind::kInteger: {
      const auto value = parse_whole<int64_t>(text);
      return value && static_cast<double>(*value) >= field.min &&
             static_cast<double>(*value) <= field.max;
    }
    case FieldKind::kNumber: {
      const auto value = parse_whole<double>(text);
      return value && std::isfinite(*value) && *value >= field.min && *value <= field.max;
    }
    case FieldKind::kSize: {
      const auto value = parse_size(text);
      return value && static_cast<double>(*value) >= field.min;
    }
    case FieldKind::kChoice: {
      const auto choices = split(field.choices, '|');
      return std::ranges::find(choices, text) != choices.end();
    }
    case FieldKind::kText:
      return true;
  }
  return false;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string flag_text(const ConfigField& field) {
  if (field.kind == FieldKind::kSwitch) return fmt::format("--{}", field.name);
  if (field.kind == FieldKind::kText) {
    return fmt::format("--{} {}", field.name, field.unit.empty() ? "TEXT" : field.unit);
  }
  if (field.kind == FieldKind::kChoice) return fmt::format("--{} {}", field.name, field.choices);
  if (field.kind == FieldKind::kSize) return fmt::format("--{} SIZE", field.name);
  return fmt::format("--{} {}", field.name, field.kind == FieldKind::kInteger ? "N" : "X");
}

}  // namespace

FieldValues::FieldValues(std::vector<FieldList> lists) : lists_(std::move(lists)) {
  for (const FieldList& list : lists_) {
    for (const ConfigField& field : list) {
      const std::string_view start =
          field.kind == FieldKind::kSwitch ? std::string_view("false") : field.fallback;
      const bool fresh = values_.emplace(field.name, start).second;
      CHECK(fresh, "two fields of one name");
    }
  }
}

const ConfigField* FieldValues::find(std::string_view name) const {
  for (const FieldList& list : lists_) {
    for (const ConfigField& field : list) {
      if (field.name == name) return &field;
    }
  }
  return nullptr;
}

Result<void> FieldValues::set(std::string_view name, std::string_view text,
                              const FieldOrigin& origin) {
  const ConfigField* field = find(name);
  CHECK(field != nullptr, "a value for a field that does not exist");
  std::string where = fmt::format("--{}", name);
  if (origin.kind == OriginKind::kFile) where = fmt::format("{}: {}", origin.where, name);
  if (origin.kind == OriginKind::kEnvironment) where = origin.where;
  TRY(check_value(*field, text, std::move(where)));
  values_.find(name)->second = text;
  origins_[std::string(name)] = origin;
  return {};
}

FieldOrigin FieldValues::origin(std::string_view name) const {
  const auto found = origins_.find(name);
  return found == origins_.end() ? FieldOrigin{OriginKind::kDefault, {}} : found->second;
}

const std::string& FieldValues::text(std::string_view name) const {
  const auto found = values_.find(name);
  CHECK(found != values_.end(), "a field that does not exist is asked for");
  return found->second;
}

std::optional<int64_t> FieldValues::integer(std::string_view name) const {
  if (find(name)->kind == FieldKind::kSize) return parse_size(text(name));
  return parse_whole<int64_t>(text(name));
}

std::optional<double> FieldValues::number(std::string_view name) const {
  return parse_whole<double>(text(name));
}

Result<void> check_value(const ConfigField& field, std::string_view text, std::string where) {
  if (accepts(field, text)) return {};
  return fail(Code::kInvalidArgument, std::move(where), fmt::format("\"{}\"", text),
              describe_range(field));
}

std::string variable_of(std::string_view name) {
  std::string variable = "STRATA_";
  for (const char c : name) {
    const bool lower = c >= 'a' && c <= 'z';
    variable += lower ? static_cast<char>(c - 'a' + 'A') : (c == '-' ? '_' : c);
  }
  return variable;
}

std::vector<std::string> choices_of(const ConfigField& field) {
  std::vector<std::string> choices;
  for (const std::string_view choice : split(field.choices, '|')) choices.emplace_back(choice);
  return choices;
}

std::optional<int64_t> parse_size(std::string_view text) {
  static constexpr std::string_view kLetters = "KMGT";
  const size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = parse_whole<double>(text.substr(0, end));
  std::string_view unit = text.substr(end);
  double scale = 1;
  if (const size_t power = unit.empty() ? kLetters.npos : kLetters.find(unit[0]);
      power != kLetters.npos) {
    unit.remove_prefix(1);
    scale = std::pow(unit == "B" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
    if (unit == "iB") unit.remove_prefix(1);
  }
  if (!number || (!unit.empty() && unit != "B")) return std::nullopt;
  const double bytes = *number * scale;
  if (!(bytes < 0x1p62)) return std::nullopt;
  return static_cast<int64_t>(bytes);
}

std::string describe_range(const ConfigField& field) {
  std::string text;
  switch (field.kind) {
    case FieldKind::kSwitch:
      return "no value, true or false";
    case FieldKind::kText:
      return field.unit.empty() ? "a text" : std::string(field.unit);
    case FieldKind::kChoice:
      for (const std::string_view choice : split(field.choices, '|')) {
        text += fmt::format("{}{}", text.empty() ? "" : ", ", choice);
      }
      return "one of " + text;
    case FieldKind::kInteger:
      text = fmt::format("an integer from {:.0f} to {:.0f}", field.min, field.max);
      break;
    case FieldKind::kNumber:
      text = fmt::format("a number from {} to {}", field.min, field.max);
      break;
    case FieldKind::kSize:
      text = fmt::format("a size of at least {:.0f} MiB: 8GiB, 1.5G, 900MB", field.min / (1 << 20));
      break;
  }
  if (!is_number(field.fallback)) text += fmt::format(", or {}", field.fallback);
  return text;
}

std::string closest_word(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

std::string help_lines(FieldList fields) {
  std::string text;
  for (const ConfigField& field : fields) {
    const std::string flag = flag_text(field);
    std::string note(field.help);
    if (field.kind == FieldKind::kInteger || field.kind == FieldKind::kNumber) {
      if (!field.unit.empty()) note += fmt::format(", in {}", field.unit);
    }
    if (field.kind != FieldKind::kSwitch && !field.fallback.empty()) {
      note += fmt::format(" [{}]", field.fallback);
    }
    text += flag.size() <= 26 ? fmt::format("  {:<28}{}\n", flag, note)
                              : fmt::format("  {}\n  {:<28}{}\n", flag, "", note);
  }
  return text;
}

std::string markdown_rows(FieldList fields) {
  std::string text;
  for (const ConfigField& field : fields) {
    std::string range;
    if (field.kind != FieldKind::kSwitch) range = describe_range(field);
    const bool counted = field.kind == FieldKind::kInteger || field.kind == FieldKind::kNumber;
    if (counted && !field.unit.empty()) range += fmt::format(" ({})", field.unit);
    text += fmt::format("| `--{}` | {} | {} | {} |\n", field.name,
                        field.fallback.empty() ? "" : fmt::format("`{}`", field.fallback), range,
                        field.help);
  }
  return text;
}

}  // namespace strata
