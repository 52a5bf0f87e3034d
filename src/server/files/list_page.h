// One page of a list, as OpenAI's lists are asked for and answered.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace strata::server {

struct ListQuery {
  int64_t limit = 0;
  std::string after = {};    // an id: what stands behind it
  std::string purpose = {};  // empty: any
  bool oldest_first = false;
};

/// What stands behind "?" of a target. kInvalidData naming the parameter.
Result<ListQuery> read_list_query(std::string_view target, int64_t most, int64_t usual);

/// `all` newest first, each with `id`; kInvalidData where none is `after`.
template <class T>
Result<Json> list_page(std::vector<T> all, const ListQuery& query, Json (*show)(const T&)) {
  if (query.oldest_first) std::ranges::reverse(all);
  auto at = all.begin();
  if (!query.after.empty()) {
    at = std::ranges::find(all, query.after, &T::id);
    if (at == all.end()) {
      return fail(Code::kInvalidData, "after", json_excerpt(query.after), "an id of this list");
    }
    ++at;
  }
  Json data = Json::array();
  for (; at != all.end() && std::ssize(data) < query.limit; ++at) data.push_back(show(*at));
  const Json first = data.empty() ? Json() : data.front()["id"];
  const Json last = data.empty() ? Json() : data.back()["id"];
  return Json{{"object", "list"},
              {"data", std::move(data)},
              {"first_id", first},
              {"last_id", last},
              {"has_more", at != all.end()}};
}

}  // namespace strata::server
