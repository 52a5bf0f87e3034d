// Splitting a byte stream into text that is certain and bytes that may still become a character.
// Follows the replacement rule of the Unicode standard (section 3.9, maximal subparts), which Rust
// and Python share: a broken sequence becomes one U+FFFD per longest prefix of a valid character.
// Inside src/text only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace strata::text {

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// The character that starts at bytes[0]: its length if it is complete and valid.
struct Utf8Step {
  size_t size = 0;  // bytes of the character, or of the broken part that one U+FFFD replaces
  bool valid = false;
  bool incomplete = false;  // all bytes so far fit, more may follow
};

/// `bytes` is not empty.
Utf8Step utf8_step(std::string_view bytes);

/// Appends the certain part of `bytes` to `text` and returns how many bytes that was: all but an
/// incomplete character at the end.
size_t append_lossy(std::string_view bytes, std::string& text);

bool is_utf8(std::string_view bytes);

}  // namespace strata::text
