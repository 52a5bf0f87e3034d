// See config_reader.h.
#include "model/config_reader.h"

#include <fmt/format.h>

#include <cmath>

namespace strata::model {
namespace {

// Ids are 64-bit in files only; anything beyond this is a mistake in the file, not an unused id.
constexpr int64_t kAnyId = int64_t{1} << 40;

}  // namespace

bool ConfigReader::has_value(std::string_view key) const {
  const Json* member = find_member(*object_, key);
  return member != nullptr && !member->is_null();
}

std::unexpected<Status> ConfigReader::bad(std::string_view key, std::string got,
                                          std::string expected, std::string hint) const {
  return fail(Code::kInvalidData, fmt::format("{}: {}", where_, key), std::move(got),
              std::move(expected), std::move(hint));
}

Result<int64_t> ConfigReader::integer(std::string_view key, int64_t fallback, int64_t min,
                                      int64_t max) const {
  if (!has(key)) return fallback;
  return in_file(where_, get_int(*object_, key, min, max));
}

Result<std::optional<int64_t>> ConfigReader::nullable_integer(std::string_view key, int64_t min,
                                                              int64_t max) const {
  return in_file(where_, optional_int(*object_, key, min, max));
}

Result<double> ConfigReader::number(std::string_view key, double fallback,
                                    NumberRange range) const {
  if (!has(key)) return fallback;
  const double value = TRY(in_file(where_, get_double(*object_, key)));
  if (value >= range.min && value <= range.max && !(range.open && value == range.min)) return value;
  return bad(key, json_excerpt(*find_member(*object_, key)),
             fmt::format("a number {} {} and at most {}", range.open ? "above" : "of at least",
                         range.min, range.max));
}

Result<std::optional<double>> ConfigReader::nullable_number(std::string_view key,
                                                            NumberRange range) const {
  if (!has_value(key)) return std::nullopt;
  return TRY(number(key, 0, range));
}

Result<bool> ConfigReader::flag(std::string_view key, bool fallback) const {
  if (!has(key)) return fallback;
  return in_file(where_, get_bool(*object_, key));
}

Result<std::string> ConfigReader::text(std::string_view key, std::string_view fallback) const {
  if (!has(key)) return std::string(fallback);
  return in_file(where_, get_string(*object_, key));
}

Result<std::vector<std::string>> ConfigReader::texts(std::string_view key) const {
  auto values = TRY(in_file(where_, optional_string_array(*object_, key)));
  return values.value_or(std::vector<std::string>{});
}

Result<std::optional<ConfigReader>> ConfigReader::nested(std::string_view key) const {
  const Json* object = TRY(in_file(where_, optional_object(*object_, key)));
  if (object == nullptr) return std::nullopt;
  return ConfigReader(*object, fmt::format("{}: {}", where_, key));
}

Result<std::vector<int64_t>> ConfigReader::token_ids(std::string_view key, int64_t vocab,
                                                     std::vector<std::string>& warnings) const {
  std::vector<int64_t> found, kept;
  const Json* member = find_member(*object_, key);
  if (member != nullptr && member->is_array()) {
    found = TRY(in_file(where_, get_int_array(*object_, key, -kAnyId, kAnyId)));
  } else if (const auto id = TRY(nullable_integer(key, -kAnyId, kAnyId))) {
    found.push_back(*id);
  }
  for (const int64_t id : found) {
    if (id >= 0 && id < vocab) {
      kept.push_back(id);
    } else {
      warnings.push_back(fmt::format("{}: {}: id {} ignored: outside the vocabulary of {}", where_,
                                     key, id, vocab));
    }
  }
  return kept;
}

}  // namespace strata::model
