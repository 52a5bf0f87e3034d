// Fields, then values; every failure says what and where.
#include "apps/prompt_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "frontend/sampling_fields.h"

namespace strata::apps {
namespace {

constexpr JsonLimits kRowLimits = {

    .max_bytes = LineReader::kMaxBytes, .max_depth = 64, .max_values = 4'000'000};
constexpr std::string_view kPromptFields[] = {"ids", "prompt", "messages"};

bool is_known_field(std::string_view key) {
  return key == "id" || frontend::is_sampling_field(key) ||
         std::ranges::find(kPromptFields, key) != std::end(kPromptFields);
}

Result<std::string> read_id(const Json& object) {
  const Json* id = find_member(object, "id");
  if (id == nullptr) return fail(Code::kInvalidData, "id", "no such field", "a text or an integer");
  if (id->is_number_integer()) return id->dump();
  if (id->is_string() && !id->get_ref<const std::string&>().empty()) return id->get<std::string>();
  return fail(Code::kInvalidData, "id", json_excerpt(*id), "a text or an integer");
}

Result<std::string_view> prompt_field(const Json& object) {
  std::string_view found;
  for (const auto& [key, value] : object.items()) {
    if (!is_known_field(key)) {
      return fail(Code::kInvalidData, fmt::format("unknown field \"{}\"", key), {},
                  "id, one of ids, prompt, messages, and what --help lists from --max-tokens on");
    }
    if (std::ranges::find(kPromptFields, key) == std::end(kPromptFields)) continue;
    if (!found.empty()) {
      return fail(Code::kInvalidData, fmt::format("both {} and {}", found, key), {},
                  "one of ids, prompt, messages");
    }
    found = *std::ranges::find(kPromptFields, key);
  }
  if (!found.empty()) return found;
  return fail(Code::kInvalidData, "no prompt", {}, "one of ids, prompt, messages");
}

Result<std::vector<int32_t>> read_ids(const Json& object) {
  std::vector<int32_t> ids;
  // The vocabulary is checked at submission; here only what an id can be at all.
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  for (const int64_t id :
       TRY(get_int_array(object, "ids", std::numeric_limits<int32_t>::min(), kMax))) {
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

}  // namespace

bool is_file_name(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= 200 && id[0] != '.' && std::ranges::all_of(id, allowed);
}

Result<PromptReader> PromptReader::open(Env& env, const std::string& path, bool ids_name_files) {
  return PromptReader(TRY(LineReader::open(env, path)), path, ids_name_files);
}

Result<std::optional<AnyRow>> PromptReader::next() {
  const std::optional<LineReader::Line> line = TRY(lines_.next());
  if (!line) return std::nullopt;
  return parse(*line);
}

AnyRow PromptReader::parse(const LineReader::Line& line) {
  const std::string where = fmt::format("{}:{}", path_, line.number);
  if (line.too_long) {
    return BadRow{line.number, nullptr, line_too_long().with_context(where)};
  }
  auto object = parse_json_object(line.text, where, kRowLimits);
  if (!object) return BadRow{line.number, nullptr, std::move(object).error()};
  Json id_json;
  auto row = parse_row(line.number, *object, id_json);
  if (!row) return BadRow{line.number, id_json, std::move(row).error().with_context(where)};
  return std::move(*row);
}

Result<PromptRow> PromptReader::parse_row(int64_t line, const Json& object, Json& id_json) {
  PromptRow row{.line = line,
                .id = TRY(read_id(object)),
                .id_json = {},
                .prompt = {},
                .sampling = Json::object()};
  row.id_json = object["id"];
  id_json = row.id_json;
  if (ids_name_files_ && !is_file_name(row.id)) {
    return fail(Code::kInvalidData, "id", json_excerpt(row.id_json),
                "letters, digits, \".\", \"_\" and \"-\", no leading dot, at most 200",
                "with --logits the id names a file");
  }
  const std::string_view field = TRY(prompt_field(object));
  if (field == "ids") {
    row.prompt = TRY(read_ids(object));
  } else if (field == "prompt") {
    row.prompt = TRY(get_string(object, "prompt"));
  } else {
    row.prompt = *TRY(get_array(object, "messages"));
  }
  for (const auto& [key, value] : object.items()) {
    if (frontend::is_sampling_field(key)) row.sampling[key] = value;
  }
  if (!seen_.insert(row.id).second) {
    return fail(Code::kInvalidData, "id", json_excerpt(row.id_json),
                "one that no earlier line has");
  }
  return row;
}

}  // namespace strata::apps
