// A place in the object and a character give the next place.
#include "frontend/tools/json_call.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/json.h"
#include "frontend/tools/tool_parser.h"

namespace strata::frontend {
namespace {

constexpr size_t kMaxDepth = 64;

// Signs of numbers and words, outside of texts.
bool is_scalar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+' || c == '.';
}

// A number, or one of JSON's words, as far as it is there.
bool may_be_scalar(std::string_view word) {
  if (word.front() == '-' || std::isdigit(static_cast<unsigned char>(word.front())) != 0) {
    return word.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
  }
  constexpr std::string_view kWords[] = {"true", "false", "null"};
  return std::ranges::any_of(kWords,
                             [&](std::string_view whole) { return whole.starts_with(word); });
}

}  // namespace

JsonCallReader::Step JsonCallReader::put(char c) {
  if (place_ == Place::kString) return in_string(c);
  if (place_ == Place::kNested) return in_nested(c);
  if (place_ == Place::kScalar) {
    if (is_scalar(c)) return Step::kMore;
    place_ = Place::kComma;
  }
  return is_blank(c) && place_ != Place::kOpen ? Step::kMore : between(c);
}

JsonCallReader::Step JsonCallReader::between(char c) {
  switch (place_) {
    case Place::kOpen:
      return expect(c, '{', Place::kFirstKey);
    case Place::kFirstKey:
    case Place::kKey:
      return begin_string(c, true);
    case Place::kColon:
      return expect(c, ':', Place::kValue);
    case Place::kValue:
      return begin_value(c);
    default:
      return c == '}' ? end() : expect(c, ',', Place::kKey);
  }
}

JsonCallReader::Step JsonCallReader::expect(char c, char wanted, Place next) {
  if (c != wanted) return Step::kFailed;
  place_ = next;
  return Step::kMore;
}

JsonCallReader::Step JsonCallReader::begin_string(char c, bool key) {
  if (c != '"') return Step::kFailed;
  key_ = key;
  text_ = c;
  place_ = Place::kString;
  return Step::kMore;
}

JsonCallReader::Step JsonCallReader::begin_value(char c) {
  if (c == '"') return begin_string(c, false);
  if (member_ == Member::kName) return Step::kFailed;
  if (c == '{' || (c == '[' && member_ == Member::kOther)) {
    has_arguments_ |= member_ == Member::kArguments;
    place_ = Place::kNested;
    return in_nested(c);
  }
  if (member_ == Member::kArguments || !is_scalar(c)) return Step::kFailed;
  place_ = Place::kScalar;
  return Step::kMore;
}

JsonCallReader::Step JsonCallReader::in_string(char c) {
  text_ += c;
  if (c == '"' && !escaped_) return end_string();
  escaped_ = c == '\\' && !escaped_;
  return Step::kMore;
}

JsonCallReader::Step JsonCallReader::end_string() {
  place_ = Place::kComma;
  if (!key_ && member_ == Member::kOther) return Step::kMore;
  const auto read = parse_json(text_, "a text");
  if (!read) return Step::kFailed;
  const auto& text = read->get_ref<const std::string&>();
  if (key_) return end_key(text);
  if (member_ == Member::kName) {
    name_ = text;
    return text.empty() ? Step::kFailed : Step::kMore;
  }
  if (!text.starts_with('{')) return Step::kFailed;
  has_arguments_ = true;
  arguments_ = text;
  return Step::kMore;
}

JsonCallReader::Step JsonCallReader::end_key(const std::string& key) {
  place_ = Place::kColon;
  member_ = Member::kOther;
  if (key == "name") {
    member_ = Member::kName;
    return name_ ? Step::kFailed : Step::kMore;
  }
  if (key == "arguments" || key == "parameters") {
    member_ = Member::kArguments;
    return has_arguments_ ? Step::kFailed : Step::kMore;
  }
  return Step::kMore;
}

JsonCallReader::Step JsonCallReader::in_nested(char c) {
  if (!follow(c)) return Step::kFailed;
  if (member_ == Member::kArguments) arguments_ += c;
  if (brackets_.empty()) place_ = Place::kComma;
  return Step::kMore;
}

// False where the character cannot stand here.
bool JsonCallReader::follow(char c) {
  if (quoted_) {
    quoted_ = c != '"' || escaped_;
    escaped_ = c == '\\' && !escaped_;
    return true;
  }
  if (is_scalar(c)) {
    word_ += c;
    return may_be_scalar(word_);
  }
  word_.clear();
  if (c == '{' || c == '[') {
    brackets_ += c;
    return brackets_.size() <= kMaxDepth;
  }
  if (c == '}' || c == ']') {
    if (brackets_.back() != (c == '}' ? '{' : '[')) return false;
    brackets_.pop_back();
    return true;
  }
  quoted_ = c == '"';
  return quoted_ || is_blank(c) || c == ',' || c == ':';
}

}  // namespace strata::frontend
