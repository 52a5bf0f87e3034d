// A YAML file of values for flags, read as entries with their lines: "max-num-seqs: 8". What the
// keys mean is settings.h's. The library throws and would follow anything: nothing thrown leaves
// config_file.cc, and size, nesting, aliases and tags are limited there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace strata::apps {

struct ConfigEntry {
  std::string key;        // as written, but "-" for "_"
  int line = 0;           // of the key, from 1
  std::string text = {};  // of a value that is neither list nor map
  std::optional<Json> nested =
      {};  // of one that is; its plain scalars are numbers, true, false, null
};

/// The entries of a file's one document, a map, in their order. `name` starts every error, with the
/// line: kInvalidData for what is no such YAML, kInvalidArgument for a key that stands twice or has
/// no value, and for aliases and tags.
Result<std::vector<ConfigEntry>> parse_config(const std::string& text, std::string_view name);

}  // namespace strata::apps
