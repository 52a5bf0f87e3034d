// Lines, then fields, then values; every failure says what and where.
#include "apps/prompt_rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "frontend/sampling_fields.h"

namespace strata::apps {
namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kMaxLineBytes = 16 << 20;
constexpr JsonLimits kRowLimits = {
    .max_bytes = kMaxLineBytes, .max_depth = 64, .max_values = 4'000'000};
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
  return PromptReader(TRY(env.open_readable(path)), path, ids_name_files);
}

Result<std::optional<AnyRow>> PromptReader::next() {
  for (;;) {
    bool too_long = false;
    const std::optional<std::string> text = TRY(next_line(too_long));
    if (!text) return std::nullopt;
    line_++;
    if (!too_long && text->find_first_not_of(" \t\r") == std::string::npos) continue;
    return parse(*text, too_long);
  }
}

Result<std::optional<std::string>> PromptReader::next_line(bool& too_long) {
  std::string line;
  for (;;) {
    const size_t end = buffer_.find('\n', consumed_);
    const size_t stop = std::min(end, buffer_.size());
    if (line.size() <= kMaxLineBytes) line.append(buffer_, consumed_, stop - consumed_);
    too_long = line.size() > kMaxLineBytes;
    if (end != std::string::npos) {
      consumed_ = end + 1;
      return line;
    }
    const uint64_t left = file_->size() - read_;
    if (left == 0) {
      const bool something = consumed_ < buffer_.size() || !line.empty();
      consumed_ = buffer_.size();
      return something ? std::optional(line) : std::nullopt;
    }
    buffer_.resize(std::min<uint64_t>(left, kReadBytes));
    consumed_ = 0;
    TRY(file_->read_at(read_, std::as_writable_bytes(std::span(buffer_))));
    read_ += buffer_.size();
  }
}

AnyRow PromptReader::parse(std::string_view text, bool too_long) {
  const std::string where = fmt::format("{}:{}", path_, line_);
  if (too_long) {
    return BadRow{line_, nullptr,
                  Status{Code::kInvalidData,
                         where + ": the line is too long",
                         {},
                         fmt::format("at most {} bytes", kMaxLineBytes),
                         {}}};
  }
  if (text.ends_with('\r')) text.remove_suffix(1);
  auto object = parse_json_object(text, where, kRowLimits);
  if (!object) return BadRow{line_, nullptr, std::move(object).error()};
  Json id_json;
  auto row = parse_row(*object, id_json);
  if (!row) return BadRow{line_, id_json, std::move(row).error().with_context(where)};
  return std::move(*row);
}

Result<PromptRow> PromptReader::parse_row(const Json& object, Json& id_json) {
  PromptRow row{.line = line_,
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
