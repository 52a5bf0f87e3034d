// Finds stop strings in text that arrives in pieces and holds back what could still become one.
// Between the detokenizer and whoever shows text. What it finds depends on the text alone, never on
// where pieces were cut. It knows no tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace strata::sampling {

/// Some texts to look for, prepared once per request (Knuth, Morris, Pratt 1977: one table a text);
/// none of them empty.
struct StopStrings {
  explicit StopStrings(std::vector<std::string> texts);
  std::vector<std::string> texts;
  /// By text and number of its bytes that match: how many match after the next byte differs.
  std::vector<std::vector<uint32_t>> fallback;
};

/// A value: a copy forks the stream.
class StopMatcher {
 public:
  StopMatcher() = default;
  explicit StopMatcher(std::shared_ptr<const StopStrings> stops);

  struct Found {
    std::string text;                   // certain now
    const std::string* stop = nullptr;  // the one that ended the stream: `text` ends before it
  };
  /// The stream ends with the stop that is complete first; of two that end together, the longer
  /// one. While `armed` is false a complete one counts as ordinary text. After the end only a new
  /// matcher may be used.
  Found append(std::string_view piece, bool armed);
  /// What is held back: text that begins a stop and will not complete it.
  std::string flush();

 private:
  bool advance(size_t which, char byte);

  std::shared_ptr<const StopStrings> stops_;
  std::vector<uint32_t> matched_;  // per stop: its longest prefix that the text ends with
  std::string held_;               // the longest of those
};

}  // namespace strata::sampling
