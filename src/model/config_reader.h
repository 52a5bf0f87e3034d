// Typed, range-checked access to the keys of one JSON document with per-family fallbacks. A missing
// key takes the fallback; a null does so only where the key may be null. Every failure names file,
// key, value and allowed range.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace strata::model {

struct NumberRange {
  double min = 0;
  double max = 0;
  bool open = false;  // `min` itself is excluded: a theta above 1, a factor above 0
};

class ConfigReader {
 public:
  /// `object` must outlive the reader; `where` starts every failure ("config.json", "config.json:
  /// rope_scaling").
  ConfigReader(const Json& object, std::string where)
      : object_(&object), where_(std::move(where)) {}

  bool has(std::string_view key) const { return find_member(*object_, key) != nullptr; }
  /// Present and not null.
  bool has_value(std::string_view key) const;
  const Json& object() const { return *object_; }
  const std::string& where() const { return where_; }

  Result<int64_t> integer(std::string_view key, int64_t fallback, int64_t min, int64_t max) const;
  Result<std::optional<int64_t>> nullable_integer(std::string_view key, int64_t min,
                                                  int64_t max) const;
  Result<double> number(std::string_view key, double fallback, NumberRange range) const;
  Result<std::optional<double>> nullable_number(std::string_view key, NumberRange range) const;
  Result<bool> flag(std::string_view key, bool fallback) const;
  Result<std::string> text(std::string_view key, std::string_view fallback) const;
  Result<std::vector<std::string>> texts(std::string_view key) const;
  /// A reader of a nested object, or nothing where the key is missing or null.
  Result<std::optional<ConfigReader>> nested(std::string_view key) const;
  /// An int, a list of ints or null. Ids outside [0, vocab) are dropped with a warning: they can
  /// never be sampled.
  Result<std::vector<int64_t>> token_ids(std::string_view key, int64_t vocab,
                                         std::vector<std::string>& warnings) const;

  /// The failure of a key's value.
  std::unexpected<Status> bad(std::string_view key, std::string got, std::string expected,
                              std::string hint = {}) const;

 private:
  const Json* object_;
  std::string where_;
};

}  // namespace strata::model
