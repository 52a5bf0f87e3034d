// Against a definition that looks at every place, on texts over few tokens, where everything comes
// again, and on some by hand.
#include "engine/ngram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace strata::engine {
namespace {

using Tokens = std::vector<int32_t>;

Tokens guess(const Tokens& tokens, NgramRange range, int64_t most) {
  NgramIndex index(range);
  const auto found = index.guess(tokens, most);
  return {found.begin(), found.end()};
}

Tokens defined(const Tokens& tokens, NgramRange range, int64_t most) {
  const auto size = static_cast<int64_t>(tokens.size());
  for (int64_t n = std::min(range.max, size); n >= range.min; n--) {
    for (int64_t end = n; end < size; end++) {
      if (!std::equal(tokens.end() - n, tokens.end(), tokens.begin() + end - n)) continue;
      const auto first = tokens.begin() + end;
      return {first, first + std::min(most, size - end)};
    }
  }
  return {};
}

TEST(Ngram, TakesTheFirstPlaceOfTheLongestMatch) {
  // "1 2" stands at the start, "9 1 2" further on.
  const Tokens tokens = {1, 2, 3, 9, 1, 2, 4, 5, 6, 9, 1, 2};
  EXPECT_EQ(guess(tokens, {.max = 3, .min = 1}, 2), (Tokens{4, 5}));
  EXPECT_EQ(guess(tokens, {.max = 2, .min = 1}, 2), (Tokens{3, 9}));
  EXPECT_EQ(guess(tokens, {.max = 4, .min = 4}, 2), Tokens{});
  EXPECT_EQ(guess({7, 7, 7, 7}, {.max = 2, .min = 1}, 9), (Tokens{7, 7}));
  EXPECT_EQ(guess({1, 2, 3}, {.max = 5, .min = 1}, 4), Tokens{});
  EXPECT_EQ(guess({1}, {.max = 1, .min = 1}, 4), Tokens{});
  EXPECT_EQ(guess({}, {.max = 1, .min = 1}, 4), Tokens{});
  EXPECT_EQ(guess(tokens, {.max = 3, .min = 1}, 0), Tokens{});
}

// One index that follows a sequence equals a new one at every length, however many tokens come at
// a time.
TEST(Ngram, EqualsItsDefinitionAtEveryLength) {
  std::mt19937 random(5);
  int found = 0;
  for (int round = 0; round < 60; round++) {
    const NgramRange range = {.max = 1 + round % 6, .min = 1 + round % (1 + round % 6)};
    const uint32_t vocabulary = 1 + static_cast<uint32_t>(round) % 9;
    NgramIndex index(range);
    Tokens tokens;
    for (int step = 0; step < 120; step++) {
      for (auto i = random() % 5; i > 0; i--) {
        tokens.push_back(static_cast<int32_t>(random() % vocabulary));
      }
      const auto most = static_cast<int64_t>(random() % 7);
      const auto got = index.guess(tokens, most);
      ASSERT_EQ(Tokens(got.begin(), got.end()), defined(tokens, range, most))
          << "round " << round << ", " << tokens.size() << " tokens";
      found += got.empty() ? 0 : 1;
      ASSERT_LE(index.bytes(), NgramIndex::most_bytes(range, static_cast<int64_t>(tokens.size())));
    }
  }
  EXPECT_GT(found, 1000);
}

TEST(Ngram, SaysWhatItMayHold) {
  NgramIndex index({.max = 2, .min = 1});
  Tokens tokens(1000);
  std::iota(tokens.begin(), tokens.end(), 0);
  index.guess(tokens, 1);
  EXPECT_EQ(index.bytes(), 2 * 2048 * 4);
  EXPECT_EQ(NgramIndex::most_bytes({.max = 2, .min = 1}, 1000), 2 * 2048 * 4 + 1024 * 4);
}

}  // namespace
}  // namespace strata::engine
