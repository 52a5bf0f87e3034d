// SAX events into a document, with the checks that the library leaves out: duplicate keys, depth,
// number of values, NUL and byte order marks. Then the getters. The parser keeps its state in a
// vector, so no input deepens the call stack.
#include "base/json.h"

#include <algorithm>
#include <exception>
#include <iterator>

namespace strata {
namespace {

// Hands the text to the lexer byte by byte and tells the event handler how far it has come.
class TrackedIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedIterator(const char* at, const char** seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  TrackedIterator& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  TrackedIterator operator++(int) {
    const TrackedIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  const char** seen_;
};

bool has_duplicate_key(const Json::object_t& object, std::string& key) {
  std::vector<const std::string*> keys;
  keys.reserve(object.size());
  for (const auto& [name, value] : object) keys.push_back(&name);
  std::sort(keys.begin(), keys.end(), [](const auto* a, const auto* b) { return *a < *b; });
  const auto equal = [](const auto* a, const auto* b) { return *a == *b; };
  const auto twin = std::adjacent_find(keys.begin(), keys.end(), equal);
  if (twin == keys.end()) return false;
  key = **twin;
  return true;
}

// The handler's interface (names, parameters, return values) is the library's: false stops the
// parse.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, std::string_view name, const JsonLimits& limits)
      : text_(text), name_(name), limits_(limits), seen_(text.data()) {}

  Result<Json> run() {
    const char* const end = text_.data() + text_.size();
    const bool done =
        Json::sax_parse(TrackedIterator(text_.data(), &seen_), TrackedIterator(end, &seen_), this);
    if (!done) return std::unexpected(std::move(error_));
    return std::move(root_);
  }

  bool null() override { return add(Json(nullptr)) != nullptr; }
  bool boolean(bool value) override { return add(Json(value)) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(Json(value)) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(Json(value)) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override {
    return add(Json(value)) != nullptr;
  }
  bool string(string_t& value) override { return add(Json(std::move(value))) != nullptr; }
  bool binary(binary_t&) override { return refuse(offset(), "binary value"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool end_object() override {
    std::string twin;
    if (has_duplicate_key(stack_.back()->get_ref<const Json::object_t&>(), twin)) {
      return refuse(offset(), "the object ending here has two keys " + json_excerpt(twin));
    }
    stack_.pop_back();
    return true;
  }
  bool end_array() override {
    stack_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& problem) override {
    // 406 is the library's number for a literal beyond the range of a double.
    const size_t at = std::min(position == 0 ? 0 : position - 1, text_.size());
    return refuse(at, problem.id == 406 ? "a number that no double holds" : "a syntax error");
  }

 private:
  size_t offset() const { return static_cast<size_t>(seen_ - text_.data()); }

  bool open(Json container) {
    if (stack_.size() >= static_cast<size_t>(limits_.max_depth)) {
      return refuse(offset(), "nesting deeper than " + std::to_string(limits_.max_depth),
                    Code::kResourceLimit);
    }
    Json* const place = add(std::move(container));
    if (place != nullptr) stack_.push_back(place);
    return place != nullptr;
  }

  // Keys are appended unchecked and compared once at the end of their object: inserting would
  // search the object each time.
  Json* add(Json value) {
    if (++values_ > limits_.max_values) {
      refuse(offset(), "more than " + std::to_string(limits_.max_values) + " values",
             Code::kResourceLimit);
      return nullptr;
    }
    if (stack_.empty()) return &(root_ = std::move(value));
    Json& top = *stack_.back();
    if (top.is_array()) return &top.get_ref<Json::array_t&>().emplace_back(std::move(value));
    auto& object = top.get_ref<Json::object_t&>();
    return &object.emplace_back(std::move(key_), std::move(value)).second;
  }

  bool refuse(size_t at, std::string problem, Code code = Code::kInvalidData) {
    const std::string_view rest = text_.substr(at, 24);
    error_ = {code,
              std::string(name_) + ": not usable JSON at byte " + std::to_string(at) + ": " +
                  std::move(problem),
              rest.empty() ? "the end of the file" : json_excerpt(Json(std::string(rest))),
              {},
              {}};
    return false;
  }

  std::string_view text_;
  std::string_view name_;
  JsonLimits limits_;
  const char* seen_;
  Json root_;
  std::vector<Json*> stack_;  // open containers; a parent does not grow while its child is open
  std::string key_;
  size_t values_ = 0;
  Status error_;
};

Result<void> check_bytes(std::string_view text, std::string_view name, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(Code::kResourceLimit, std::string(name) + ": size",
                std::to_string(text.size()) + " bytes",
                "at most " + std::to_string(limits.max_bytes));
  }
  if (text.starts_with("\xef\xbb\xbf")) {
    return fail(Code::kInvalidData, std::string(name) + ": not usable JSON at byte 0",
                "a byte order mark", "{");
  }
  // The lexer takes a NUL for the end of its input and would not look at what follows.
  if (const size_t at = text.find('\0'); at != std::string_view::npos) {
    return fail(Code::kInvalidData,
                std::string(name) + ": not usable JSON at byte " + std::to_string(at), "a NUL byte",
                "UTF-8 text");
  }
  return {};
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view name, const JsonLimits& limits) {
  TRY(check_bytes(text, name, limits));
  try {
    return Builder(text, name, limits).run();
  } catch (const std::exception& problem) {
    return fail(Code::kInvalidData, std::string(name) + ": cannot parse: " + problem.what());
  }
}

Result<Json> parse_json_object(std::string_view text, std::string_view name,
                               const JsonLimits& limits) {
  Json document = TRY(parse_json(text, name, limits));
  if (!document.is_object()) {
    return fail(Code::kInvalidData, std::string(name), json_excerpt(document), "a JSON object");
  }
  return document;
}

std::string json_excerpt(const Json& value) {
  constexpr size_t kMaxBytes = 60;
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kMaxBytes) return text;
  size_t cut = kMaxBytes;
  while ((static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  return text.substr(0, cut) + "...";
}

const Json* find_member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  for (const auto& [name, value] : object.get_ref<const Json::object_t&>()) {
    if (name == key) return &value;
  }
  return nullptr;
}

}  // namespace strata
