// A line of the file is a key, and behind it what is other than the flags say: "KEY rpm=60".
// Limits have LiteLLM's names.
#include "apps/serve/keys_flags.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace strata::apps {
namespace {

constexpr uint64_t kMaxKeyFile = 1 << 20;

constexpr ConfigField limit_field(const char* name, const char* unit, const char* help) {
  return {.name = name,
          .kind = FieldKind::kInteger,
          .fallback = "none",
          .unit = unit,
          .min = 1,
          .max = static_cast<double>(server::RateBucket::kMost),
          .help = help};
}

constexpr ConfigField kFields[] = {
    {.name = "api-key",
     .unit = "KEY[,KEY]",
     .help = "keys that clients must send; other users see flags, but not STRATA_API_KEY",
     .secret = true},
    {.name = "api-key-file",
     .unit = "FILE",
     .help = "more keys, one a line, each with limits of its own behind it: KEY rpm=60 tpm=100000 "
             "max_parallel_requests=4, or none for one that it does not have"},
    limit_field("rpm", "requests",
                "what each key may send a minute; without keys, what everybody together may"),
    limit_field("tpm", "tokens", "the same in tokens of prompts and answers"),
    limit_field("max-parallel-requests", "requests", "the same in answers that are made at a time"),
};

std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

// "rpm=60": small letters, an equals sign, digits or a word. Anything else belongs to the key.
struct Setting {
  std::string_view name, value;
};

std::optional<Setting> as_setting(std::string_view word) {
  const size_t equals = word.find('=');
  if (equals == 0 || equals == std::string_view::npos) return {};
  const Setting made{word.substr(0, equals), word.substr(equals + 1)};
  const auto in_name = [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || c == '-'; };
  const auto in_value = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool fits = !made.value.empty() && std::ranges::all_of(made.name, in_name) &&
                    std::ranges::all_of(made.value, in_value);
  if (!fits) return {};
  return made;
}

std::optional<int64_t>* limit_named(server::KeyLimit& limit, std::string_view name) {
  if (name == "rpm") return &limit.requests_per_minute;
  if (name == "tpm") return &limit.tokens_per_minute;
  if (name == "max_parallel_requests") return &limit.parallel_requests;
  return nullptr;
}

Result<void> set_limit(server::KeyLimit& limit, const Setting& setting) {
  std::optional<int64_t>* one = limit_named(limit, setting.name);
  if (one == nullptr) {
    return fail(Code::kInvalidData, std::string(setting.name), {},
                "rpm, tpm or max_parallel_requests");
  }
  if (setting.value == "none") {
    one->reset();
    return {};
  }
  int64_t number = 0;
  const char* end = setting.value.data() + setting.value.size();
  const auto read = std::from_chars(setting.value.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number < 1 ||
      number > server::RateBucket::kMost) {
    return fail(Code::kInvalidData, std::string(setting.name), std::string(setting.value),
                fmt::format("1 to {}, or none", server::RateBucket::kMost));
  }
  *one = number;
  return {};
}

Result<void> add_line(server::ApiKeys& keys, std::string_view line, server::KeyLimit limit) {
  for (;;) {
    line = trimmed(line);
    const size_t space = line.find_last_of(" \t");
    if (space == std::string_view::npos) break;
    const auto setting = as_setting(line.substr(space + 1));
    if (!setting) break;
    TRY(set_limit(limit, *setting));
    line = line.substr(0, space);
  }
  if (as_setting(line) && limit_named(limit, as_setting(line)->name) != nullptr) {
    return fail(Code::kInvalidData, "there is no key before the limits");
  }
  keys.add(line, limit);
  return {};
}

Result<void> read_file(Env& env, const std::string& path, const server::KeyLimit& limit,
                       server::ApiKeys& keys) {
  const std::string text = TRY(env.read_small_file(path, kMaxKeyFile));
  std::string_view rest = text;
  bool any = false;
  for (int number = 1; !rest.empty(); number++) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty()) continue;
    auto added = add_line(keys, line, limit);
    if (!added) {
      return std::unexpected(
          std::move(added).error().with_context(fmt::format("{}, line {}", path, number)));
    }
    any = true;
  }
  if (!any) return fail(Code::kInvalidData, path, "no key", "a key a line");
  return {};
}

}  // namespace

FieldList keys_fields() { return kFields; }

std::vector<std::string> split_list(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(at), text.size());
    const std::string_view part = trimmed(text.substr(0, end));
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

server::KeyLimit default_limit(const FieldValues& values) {
  return {.requests_per_minute = values.integer("rpm"),
          .tokens_per_minute = values.integer("tpm"),
          .parallel_requests = values.integer("max-parallel-requests")};
}

Result<server::ApiKeys> read_keys(Env& env, const FieldValues& values) {
  const server::KeyLimit limit = default_limit(values);
  server::ApiKeys keys;
  for (const std::string& key : split_list(values.text("api-key"), ',')) keys.add(key, limit);
  const std::string& file = values.text("api-key-file");
  if (!file.empty()) TRY(read_file(env, file, limit, keys));
  return keys;
}

}  // namespace strata::apps
