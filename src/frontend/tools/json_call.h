// One call of a function as JSON: {"name": "f", "arguments": {...}}, read character by character.
// The name is known as soon as it was read, and the arguments pass through as the model wrote them.
// What stands around such an object is json_calls.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace strata::frontend {

/// "parameters" is the same as "arguments", and arguments may be an object's text. Other members
/// are passed over. Of arguments the brackets, texts, numbers and words are followed, no more.
class JsonCallReader {
 public:
  enum class Step : uint8_t { kMore, kDone, kFailed };

  /// The next character, from the opening bracket on. One that fails has had no effect.
  Step put(char c);

  /// The name is known, and arguments have begun.
  bool announced() const { return name_ && has_arguments_; }
  bool has_arguments() const { return has_arguments_; }
  const std::optional<std::string>& name() const { return name_; }
  /// What was read of them since the last time.
  std::string take_arguments() { return std::exchange(arguments_, {}); }

 private:
  enum class Place : uint8_t {
    kOpen,
    kFirstKey,
    kKey,
    kColon,
    kValue,
    kString,
    kNested,
    kScalar,
    kComma
  };
  enum class Member : uint8_t { kName, kArguments, kOther };

  Step between(char c);
  Step expect(char c, char wanted, Place next);
  Step begin_value(char c);
  Step begin_string(char c, bool key);
  Step in_string(char c);
  Step end_string();
  Step end_key(const std::string& key);
  Step in_nested(char c);
  bool follow(char c);
  Step end() const { return name_ ? Step::kDone : Step::kFailed; }

  Place place_ = Place::kOpen;
  Member member_ = Member::kOther;
  bool key_ = false;      // the text that is read
  bool escaped_ = false;  // the next character of a text
  bool quoted_ = false;   // within a nested value
  std::string text_;      // that is read, with its quotes
  std::string brackets_;  // open ones of a nested value
  std::string word_;      // a number or a word of a nested value
  std::optional<std::string> name_;
  bool has_arguments_ = false;
  std::string arguments_;
};

}  // namespace strata::frontend
