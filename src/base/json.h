// JSON documents from untrusted files: parsing with stated limits, and typed getters whose failures
// name the key, the value found and what was expected. The document library throws; nothing thrown
// leaves this file. Large tables (weight_map, tensor headers) have readers of their own: objects
// here look keys up linearly.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata {

using Json = nlohmann::ordered_json;

/// Memory is bounded by about bytes + 100 x values.
struct JsonLimits {
  size_t max_bytes = 4 << 20;
  int max_depth = 64;
  size_t max_values = 200'000;
};

/// RFC 8259 exactly: duplicate keys, NaN and Infinity literals, numbers beyond a double, invalid
/// UTF-8, a byte order mark and bytes after the document are refused. `name` (a file name) starts
/// every error; syntax errors give the byte offset.
Result<Json> parse_json(std::string_view text, std::string_view name,
                        const JsonLimits& limits = {});

/// The same for a document that must be an object, as every configuration file is.
Result<Json> parse_json_object(std::string_view text, std::string_view name,
                               const JsonLimits& limits = {});

/// The value as it would stand in a file, strings cut to 60 bytes and containers only named: for
/// the `got` of a Status.
std::string json_excerpt(const Json& value);

/// Member of an object, or nullptr where it is missing or `object` is no object. An explicit null
/// is returned as such.
const Json* find_member(const Json& object, std::string_view key);

// Getters. get_X fails (kInvalidData) where the key is missing, null or of another type: numbers
// are never read from strings, integers never from 32.0 or true. optional_X gives nullopt where the
// key is missing or null, and still fails on a wrong type. The Status' `what` is the key: prefix
// the file with `with_context`, or use in_file().
Result<int64_t> get_int(const Json& object, std::string_view key, int64_t min, int64_t max);
Result<double> get_double(const Json& object, std::string_view key,
                          double min = std::numeric_limits<double>::lowest(),
                          double max = std::numeric_limits<double>::max());
Result<bool> get_bool(const Json& object, std::string_view key);
Result<std::string> get_string(const Json& object, std::string_view key);
/// Pointers into `object`: valid while it is.
Result<const Json*> get_object(const Json& object, std::string_view key);
Result<const Json*> get_array(const Json& object, std::string_view key);
Result<std::vector<int64_t>> get_int_array(const Json& object, std::string_view key, int64_t min,
                                           int64_t max);
Result<std::vector<double>> get_double_array(const Json& object, std::string_view key,
                                             double min = std::numeric_limits<double>::lowest(),
                                             double max = std::numeric_limits<double>::max());
Result<std::vector<std::string>> get_string_array(const Json& object, std::string_view key);

Result<std::optional<int64_t>> optional_int(const Json& object, std::string_view key, int64_t min,
                                            int64_t max);
Result<std::optional<double>> optional_double(const Json& object, std::string_view key,
                                              double min = std::numeric_limits<double>::lowest(),
                                              double max = std::numeric_limits<double>::max());
Result<std::optional<bool>> optional_bool(const Json& object, std::string_view key);
Result<std::optional<std::string>> optional_string(const Json& object, std::string_view key);
/// nullptr where the key is missing or null.
Result<const Json*> optional_object(const Json& object, std::string_view key);
Result<const Json*> optional_array(const Json& object, std::string_view key);
Result<std::optional<std::vector<int64_t>>> optional_int_array(const Json& object,
                                                               std::string_view key, int64_t min,
                                                               int64_t max);
Result<std::optional<std::vector<double>>> optional_double_array(
    const Json& object, std::string_view key, double min = std::numeric_limits<double>::lowest(),
    double max = std::numeric_limits<double>::max());
Result<std::optional<std::vector<std::string>>> optional_string_array(const Json& object,
                                                                      std::string_view key);

/// `in_file("config.json", get_int(...))`: the same result, its failure prefixed "config.json: ".
template <class T>
Result<T> in_file(std::string_view name, Result<T> result) {
  if (!result) return std::unexpected(std::move(result).error().with_context(name));
  return result;
}

}  // namespace strata
