// Ids and numbers need no escapes: what has one is refused as a wrong value.
#include "server/files/list_page.h"

#include <fmt/core.h>

namespace strata::server {
namespace {

Result<int64_t> read_limit(std::string_view text, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (whole && value >= 1 && value <= most) return value;
  return fail(Code::kInvalidData, "limit", json_excerpt(std::string(text)),
              fmt::format("1 to {}", most));
}

Result<void> read_parameter(std::string_view name, std::string_view value, int64_t most,
                            ListQuery& query) {
  if (name == "limit") query.limit = TRY(read_limit(value, most));
  if (name == "after") query.after = value;
  if (name == "purpose") query.purpose = value;
  if (name != "order") return {};
  if (value != "asc" && value != "desc") {
    return fail(Code::kInvalidData, "order", json_excerpt(std::string(value)),
                "\"asc\" or \"desc\"");
  }
  query.oldest_first = value == "asc";
  return {};
}

}  // namespace

Result<ListQuery> read_list_query(std::string_view target, int64_t most, int64_t usual) {
  ListQuery query{.limit = usual};
  const size_t mark = target.find('?');
  std::string_view rest = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  rest = rest.substr(0, rest.find('#'));
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view one = rest.substr(0, end);
    const size_t equals = std::min(one.find('='), one.size());
    const std::string_view value = one.substr(std::min(equals + 1, one.size()));
    TRY(read_parameter(one.substr(0, equals), value, most, query));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return query;
}

}  // namespace strata::server
