// Stop strings at every split of a text: what comes out never depends on the pieces, and no prefix
// of a stop is shown before it is certain.
#include "sampling/stop_strings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace strata::sampling {
namespace {

struct Outcome {
  std::string text;
  std::string stop;
  bool operator==(const Outcome&) const = default;
};

StopMatcher matcher_of(const std::vector<std::string>& stops) {
  return StopMatcher(std::make_shared<const StopStrings>(stops));
}

// By the book: the stop that is complete first, of those the longest.
Outcome naive(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); end++) {
    std::string longest;
    for (const std::string& stop : stops) {
      if (text.substr(0, end).ends_with(stop) && stop.size() > longest.size()) longest = stop;
    }
    if (!longest.empty()) return {text.substr(0, end - longest.size()), longest};
  }
  return {text, ""};
}

// The longest end of `text` that could become a stop.
size_t undecided(const std::string& text, const std::vector<std::string>& stops) {
  size_t longest = 0;
  for (const std::string& stop : stops) {
    for (size_t n = 1; n < stop.size(); n++) {
      if (text.ends_with(stop.substr(0, n))) longest = std::max(longest, n);
    }
  }
  return longest;
}

Outcome streamed(const std::vector<std::string>& pieces, const std::vector<std::string>& stops) {
  StopMatcher matcher = matcher_of(stops);
  Outcome made;
  std::string all;
  for (const std::string& piece : pieces) {
    all += piece;
    const StopMatcher::Found found = matcher.append(piece, true);
    made.text += found.text;
    if (found.stop != nullptr) return {made.text, *found.stop};
    // Neither too much is shown nor too little.
    EXPECT_EQ(made.text.size(), all.size() - undecided(all, stops)) << all;
  }
  made.text += matcher.flush();
  return made;
}

TEST(StopStrings, AreFoundAtEverySplitInTwoAndThree) {
  const std::string text = "one END two";
  for (const std::vector<std::string>& stops :
       {std::vector<std::string>{"END"}, {" END "}, {"D t", "END two!"}, {"nope"}, {"o"}}) {
    const Outcome wanted = naive(text, stops);
    for (size_t a = 0; a <= text.size(); a++) {
      for (size_t b = a; b <= text.size(); b++) {
        EXPECT_EQ(streamed({text.substr(0, a), text.substr(a, b - a), text.substr(b)}, stops),
                  wanted)
            << a << " " << b;
      }
    }
  }
}

TEST(StopStrings, EqualASearchInTheWholeTextInRandomPieces) {
  std::mt19937_64 random(2);
  const auto word = [&](size_t most) {
    std::string made(1 + random() % most, 'a');
    for (char& c : made) c = static_cast<char>('a' + random() % 2);
    return made;
  };
  for (int i = 0; i < 20'000; i++) {
    std::vector<std::string> stops, pieces;
    for (size_t n = random() % 4; n > 0; n--) stops.push_back(word(7));
    std::string text;
    for (size_t n = random() % 12; n > 0; n--) {
      pieces.push_back(word(4));
      text += pieces.back();
    }
    ASSERT_EQ(streamed(pieces, stops), naive(text, stops)) << text;
  }
}

TEST(StopStrings, CountAsTextUntilArmed) {
  StopMatcher matcher = matcher_of({"abab"});
  EXPECT_EQ(matcher.append("xabab", false).text, "xab");  // "ab" may begin another
  const StopMatcher::Found found = matcher.append("ab", true);
  ASSERT_NE(found.stop, nullptr);
  EXPECT_EQ(found.text, "");
}

TEST(StopStrings, CopiesGoOnByThemselves) {
  StopMatcher one = matcher_of({"stop"});
  EXPECT_EQ(one.append("a st", true).text, "a ");
  StopMatcher two = one;
  EXPECT_NE(one.append("op", true).stop, nullptr);
  EXPECT_EQ(two.append("ay", true).text, "stay");
  EXPECT_EQ(two.append("s", true).text, "");
  EXPECT_EQ(two.flush(), "s");
}

}  // namespace
}  // namespace strata::sampling
