// Row by row: envelope, id, route.
#include "frontend/batch/rows.h"

#include <fmt/core.h>

#include <algorithm>

namespace strata::frontend {
namespace {

constexpr JsonLimits kRowLimits = {
    .max_bytes = LineReader::kMaxBytes, .max_depth = 64, .max_values = 4'000'000};
constexpr size_t kMaxIdBytes = 512;
constexpr size_t kNodeBytes = 48;

struct Route {
  std::string_view url;
  ApiKind kind;
};
constexpr Route kRoutes[] = {
    {"/v1/chat/completions", ApiKind::kChat},
    {"/v1/completions", ApiKind::kCompletion},
};

Result<std::string> read_custom_id(const Json& object) {
  std::string id = TRY(get_string(object, "custom_id"));
  if (!id.empty() && id.size() <= kMaxIdBytes) return id;
  return fail(Code::kInvalidData, "custom_id", json_excerpt(id),
              fmt::format("a text of 1 to {} bytes", kMaxIdBytes));
}

Result<ApiKind> read_route(const Json& object) {
  const std::string method = TRY(optional_string(object, "method")).value_or("POST");
  if (method != "POST") return fail(Code::kUnsupported, "method", json_excerpt(method), "\"POST\"");
  const std::string url = TRY(get_string(object, "url"));
  const auto* route = std::ranges::find(kRoutes, url, &Route::url);
  if (route != std::end(kRoutes)) return route->kind;
  return fail(Code::kUnsupported, "url", json_excerpt(url),
              "\"/v1/chat/completions\" or \"/v1/completions\"");
}

}  // namespace

sched::BlockHash IdSet::hash(std::string_view id) const {
  return engine::keyed_hash(key_, std::as_bytes(std::span(id)));
}

bool IdSet::insert(std::string_view id) { return hashes_.insert(hash(id)).second; }

bool IdSet::contains(std::string_view id) const { return hashes_.contains(hash(id)); }

// A node with its link, its hash and what the allocator adds, and its share of the table.
int64_t IdSet::bytes() const {
  return static_cast<int64_t>(hashes_.size() * kNodeBytes + hashes_.bucket_count() * sizeof(void*));
}

int64_t EarlierAnswers::bytes() const {
  return ids.bytes() + static_cast<int64_t>(bad_lines.size() * kNodeBytes);
}

Result<BatchReader> BatchReader::open(Env& env, const std::string& path) {
  return BatchReader(TRY(LineReader::open(env, path)));
}

Result<std::optional<AnyBatchRow>> BatchReader::next() {
  const std::optional<LineReader::Line> line = TRY(lines_.next());
  if (!line) return std::nullopt;
  return parse(*line);
}

AnyBatchRow BatchReader::parse(const LineReader::Line& line) {
  Json custom_id;
  const auto bad = [&](Status status) {
    return BadBatchRow{line.number, custom_id, std::move(status)};
  };
  if (line.too_long) return bad(line_too_long());
  auto object = parse_json_object(line.text, "the row", kRowLimits);
  if (!object) return bad(std::move(object).error());
  auto id = read_custom_id(*object);
  if (!id) return bad(std::move(id).error());
  custom_id = *id;
  if (!seen_.insert(*id)) {
    return bad(
        {Code::kInvalidData, "custom_id", json_excerpt(*id), "one that no earlier line has", {}});
  }
  auto kind = read_route(*object);
  if (!kind) return bad(std::move(kind).error());
  auto body = get_object(*object, "body");
  if (!body) return bad(std::move(body).error());
  return BatchRow{line.number, std::move(*id), *kind, **body};
}

Result<EarlierAnswers> read_earlier_answers(Env& env, const std::string& path) {
  EarlierAnswers earlier;
  if (!env.exists(path)) return earlier;
  LineReader lines = TRY(LineReader::open(env, path));
  for (;;) {
    const std::optional<LineReader::Line> line = TRY(lines.next());
    // The end of a row that a kill cut short is not there.
    if (!line || !line->ended) return earlier;
    const std::string where = fmt::format("{}:{}", path, line->number);
    const auto object = parse_json_object(line->text, where, kRowLimits);
    const Json* id = object ? find_member(*object, "custom_id") : nullptr;
    if (id == nullptr || find_member(*object, "response") == nullptr) {
      return fail(Code::kInvalidData, where, "a row that is no answer of a batch", {},
                  "--resume goes on with an output file of strata batch: name another one");
    }
    if (id->is_string()) earlier.ids.insert(id->get_ref<const std::string&>());
    const Json* error = find_member(*object, "error");
    const Json* bad_line = error == nullptr ? nullptr : find_member(*error, "line");
    if (bad_line != nullptr && bad_line->is_number_integer()) {
      earlier.bad_lines.insert(bad_line->get<int64_t>());
    }
    earlier.rows++;
    earlier.errors += error != nullptr && !error->is_null();
    earlier.whole_bytes = lines.bytes_taken();
  }
}

}  // namespace strata::frontend
