// The typed getters of json.h: one reader per type, and four ways to apply it (required, optional,
// and both for arrays).
#include <fmt/format.h>

#include "base/json.h"

namespace strata {
namespace {

std::unexpected<Status> mismatch(std::string_view key, const Json* value, std::string expected) {
  return fail(Code::kInvalidData, std::string(key),
              value == nullptr ? "nothing" : json_excerpt(*value), std::move(expected));
}

// One reader per type: what it expects in words, and the value where it fits.
struct IntReader {
  using Value = int64_t;
  int64_t min;
  int64_t max;

  std::string expected() const { return fmt::format("an integer in {}..{}", min, max); }
  std::optional<int64_t> read(const Json& value) const {
    if (!value.is_number_integer()) return std::nullopt;
    // Stored as unsigned where it is not negative; beyond int64 it is beyond every range.
    if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) return std::nullopt;
    const int64_t number = value.get<int64_t>();
    if (number < min || number > max) return std::nullopt;
    return number;
  }
};

struct DoubleReader {
  using Value = double;
  double min;
  double max;

  std::string expected() const {
    const bool low = min > std::numeric_limits<double>::lowest();
    const bool high = max < std::numeric_limits<double>::max();
    if (low && high) return fmt::format("a number in {}..{}", min, max);
    if (low) return fmt::format("a number >= {}", min);
    return high ? fmt::format("a number <= {}", max) : "a number";
  }
  std::optional<double> read(const Json& value) const {
    if (!value.is_number()) return std::nullopt;
    const double number = value.get<double>();
    if (!(number >= min && number <= max)) return std::nullopt;
    return number;
  }
};

struct BoolReader {
  using Value = bool;
  static std::string expected() { return "true or false"; }
  static std::optional<bool> read(const Json& value) {
    if (!value.is_boolean()) return std::nullopt;
    return value.get<bool>();
  }
};

struct StringReader {
  using Value = std::string;
  static std::string expected() { return "a string"; }
  static std::optional<std::string> read(const Json& value) {
    if (!value.is_string()) return std::nullopt;
    return value.get<std::string>();
  }
};

struct ObjectReader {
  using Value = const Json*;
  static std::string expected() { return "an object"; }
  static std::optional<const Json*> read(const Json& value) {
    if (!value.is_object()) return std::nullopt;
    return &value;
  }
};

struct ArrayReader {
  using Value = const Json*;
  static std::string expected() { return "an array"; }
  static std::optional<const Json*> read(const Json& value) {
    if (!value.is_array()) return std::nullopt;
    return &value;
  }
};

template <class Reader>
Result<typename Reader::Value> get_one(const Json& object, std::string_view key,
                                       const Reader& reader) {
  const Json* const value = find_member(object, key);
  if (value == nullptr) return mismatch(key, nullptr, reader.expected());
  auto read = reader.read(*value);
  if (!read) return mismatch(key, value, reader.expected());
  return *std::move(read);
}

template <class Reader>
Result<std::vector<typename Reader::Value>> get_many(const Json& object, std::string_view key,
                                                     const Reader& reader) {
  const Json& array = *TRY(get_array(object, key));
  std::vector<typename Reader::Value> values;
  values.reserve(array.size());
  for (const Json& element : array.get_ref<const Json::array_t&>()) {
    auto read = reader.read(element);
    if (!read)
      return mismatch(fmt::format("{}[{}]", key, values.size()), &element, reader.expected());
    values.push_back(*std::move(read));
  }
  return values;
}

bool is_absent(const Json& object, std::string_view key) {
  const Json* const value = find_member(object, key);
  return value == nullptr || value->is_null();
}

template <class Reader>
Result<std::optional<typename Reader::Value>> optional_one(const Json& object, std::string_view key,
                                                           const Reader& reader) {
  if (is_absent(object, key)) return std::nullopt;
  return TRY(get_one(object, key, reader));
}

template <class Reader>
Result<std::optional<std::vector<typename Reader::Value>>> optional_many(const Json& object,
                                                                         std::string_view key,
                                                                         const Reader& reader) {
  if (is_absent(object, key)) return std::nullopt;
  return TRY(get_many(object, key, reader));
}

}  // namespace

Result<int64_t> get_int(const Json& object, std::string_view key, int64_t min, int64_t max) {
  return get_one(object, key, IntReader{min, max});
}
Result<double> get_double(const Json& object, std::string_view key, double min, double max) {
  return get_one(object, key, DoubleReader{min, max});
}
Result<bool> get_bool(const Json& object, std::string_view key) {
  return get_one(object, key, BoolReader{});
}
Result<std::string> get_string(const Json& object, std::string_view key) {
  return get_one(object, key, StringReader{});
}
Result<const Json*> get_object(const Json& object, std::string_view key) {
  return get_one(object, key, ObjectReader{});
}
Result<const Json*> get_array(const Json& object, std::string_view key) {
  return get_one(object, key, ArrayReader{});
}
Result<std::vector<int64_t>> get_int_array(const Json& object, std::string_view key, int64_t min,
                                           int64_t max) {
  return get_many(object, key, IntReader{min, max});
}
Result<std::vector<double>> get_double_array(const Json& object, std::string_view key, double min,
                                             double max) {
  return get_many(object, key, DoubleReader{min, max});
}
Result<std::vector<std::string>> get_string_array(const Json& object, std::string_view key) {
  return get_many(object, key, StringReader{});
}

Result<std::optional<int64_t>> optional_int(const Json& object, std::string_view key, int64_t min,
                                            int64_t max) {
  return optional_one(object, key, IntReader{min, max});
}
Result<std::optional<double>> optional_double(const Json& object, std::string_view key, double min,
                                              double max) {
  return optional_one(object, key, DoubleReader{min, max});
}
Result<std::optional<bool>> optional_bool(const Json& object, std::string_view key) {
  return optional_one(object, key, BoolReader{});
}
Result<std::optional<std::string>> optional_string(const Json& object, std::string_view key) {
  return optional_one(object, key, StringReader{});
}
Result<const Json*> optional_object(const Json& object, std::string_view key) {
  return TRY(optional_one(object, key, ObjectReader{})).value_or(nullptr);
}
Result<const Json*> optional_array(const Json& object, std::string_view key) {
  return TRY(optional_one(object, key, ArrayReader{})).value_or(nullptr);
}
Result<std::optional<std::vector<int64_t>>> optional_int_array(const Json& object,
                                                               std::string_view key, int64_t min,
                                                               int64_t max) {
  return optional_many(object, key, IntReader{min, max});
}
Result<std::optional<std::vector<double>>> optional_double_array(const Json& object,
                                                                 std::string_view key, double min,
                                                                 double max) {
  return optional_many(object, key, DoubleReader{min, max});
}
Result<std::optional<std::vector<std::string>>> optional_string_array(const Json& object,
                                                                      std::string_view key) {
  return optional_many(object, key, StringReader{});
}

}  // namespace strata
