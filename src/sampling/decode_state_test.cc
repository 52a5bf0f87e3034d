// A sequence's memory: counts, text, stops, and that forks and truncations are indistinguishable
// from sequences that never were anything else.
#include "sampling/decode_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>

#include "text/test_support.h"

namespace strata::sampling {
namespace {

// Ids 0..255 are not bytes in GPT-2's order: the text of an id comes from the tokenizer.
const text::Tokenizer& tokenizer() {
  static const text::Tokenizer kMade = text::Tokenizer::from_json(text::byte_level_json()).value();
  return kMade;
}

std::vector<int32_t> ids_of(const std::string& words) {
  return tokenizer().encode(words, {.add_special_tokens = false}).value();
}

// One token a byte: the most borders there can be.
std::vector<int32_t> bytes_of(const std::string& words) {
  std::vector<int32_t> ids;
  for (size_t start = 0; start < words.size();) {
    size_t end = start + 1;
    while (end < words.size() && (words[end] & 0xC0) == 0x80) end++;
    std::ranges::copy(ids_of(words.substr(start, end - start)), std::back_inserter(ids));
    start = end;
  }
  EXPECT_EQ(ids.size(), words.size());
  return ids;
}

DecodeState state_of(SamplingParams params, std::vector<int32_t> stop_ids = {}) {
  return DecodeState(
      make_decode_request(std::move(params), std::vector<int32_t>{7, 3, 7}, std::move(stop_ids)),
      text::Detokenizer(tokenizer(), {.continues = true}));
}

struct Outcome {
  std::string text;
  bool stopped = false;
  std::optional<std::string> stop;
};

Outcome run(DecodeState state, const std::vector<int32_t>& ids) {
  Outcome made;
  for (const int32_t id : ids) {
    const DecodeState::Committed committed = state.commit(id);
    made.text += committed.text;
    made.stopped = committed.stopped;
    made.stop = committed.stop;
    if (made.stopped) return made;
  }
  made.text += state.finish().text;
  return made;
}

std::string description(const DecodeState& state) {
  std::string text = std::to_string(state.position()) + "/" + std::to_string(state.text_bytes());
  for (const int32_t id : state.generated()) text += " " + std::to_string(id);
  for (const DecodeState::Count& count : state.counts())
    text += " " + std::to_string(count.id) + "x" + std::to_string(count.times);
  return text;
}

TEST(DecodeState, StopStringsCrossTokenBorders) {
  for (const auto& ids : {ids_of("Hello END rest"), bytes_of("Hello END rest")}) {
    const Outcome before = run(state_of({.stop = {"END"}}), ids);
    EXPECT_EQ(before.text, "Hello ");
    EXPECT_TRUE(before.stopped);
    EXPECT_EQ(before.stop, "END");
    EXPECT_EQ(run(state_of({.stop = {"END"}, .include_stop = true}), ids).text, "Hello END");
    const Outcome none = run(state_of({.stop = {"ENDE"}}), ids);
    EXPECT_EQ(none.text, "Hello END rest");
    EXPECT_FALSE(none.stopped);
  }
}

TEST(DecodeState, StopStringsOfManyBytesPerCharacter) {
  const std::vector<int32_t> ids = bytes_of("a\u00e9\u20acb");
  EXPECT_EQ(run(state_of({.stop = {"\u20ac"}}), ids).text, "a\u00e9");
  // An incomplete character becomes U+FFFD at the end, which may be a stop as well.
  const Outcome cut = run(state_of({}), {ids.begin(), ids.begin() + 4});
  EXPECT_EQ(cut.text, "a\u00e9\ufffd");
  EXPECT_EQ(run(state_of({.stop = {"\ufffd"}}), {ids.begin(), ids.begin() + 4}).text, "a\u00e9");
}

TEST(DecodeState, LeavesTheTextOfAStopIdOut) {
  const std::vector<int32_t> ids = bytes_of("ab.c");
  const Outcome out = run(state_of({}, {ids[2]}), ids);
  EXPECT_EQ(out.text, "ab");
  EXPECT_TRUE(out.stopped);
  EXPECT_FALSE(out.stop);
  EXPECT_EQ(run(state_of({.include_stop = true}, {ids[2]}), ids).text, "ab.");
  // What a stop string held back comes out with it.
  EXPECT_EQ(run(state_of({.stop = {"bx"}}, {ids[2]}), ids).text, "ab");
}

TEST(DecodeState, NoStopCountsWithinMinTokens) {
  const std::vector<int32_t> ids = bytes_of("xSTxSTy");
  EXPECT_EQ(run(state_of({.min_tokens = 2, .stop = {"ST"}}), ids).text, "x");
  EXPECT_EQ(run(state_of({.min_tokens = 3, .stop = {"ST"}}), ids).text, "xSTx");
  EXPECT_EQ(run(state_of({.min_tokens = 6, .stop = {"ST"}}), ids).text, "xSTxSTy");
  EXPECT_FALSE(run(state_of({.min_tokens = 7}, {ids[0], ids[6]}), ids).stopped);
  EXPECT_EQ(run(state_of({.min_tokens = 1}, {ids[0]}), ids).text, "xST");
}

TEST(DecodeState, WithoutATokenizerThereIsNoText) {
  DecodeState state(
      make_decode_request({.stop = {"a"}}, std::vector<int32_t>{1}, std::vector<int32_t>{5}));
  EXPECT_EQ(state.commit(4).text, "");
  EXPECT_TRUE(state.commit(5).stopped);
  EXPECT_EQ(state.finish().text, "");
}

// Random commits, forks and truncations beside plain lists of ids.
TEST(DecodeState, ForksAndTruncationsLeaveNoTrace) {
  std::mt19937_64 random(9);
  const SamplingParams params{.stop = {"ab", "bca"}};
  const std::vector<int32_t> alphabet = bytes_of("abc\u00e9");
  for (int round = 0; round < 300; round++) {
    std::vector<DecodeState> states = {state_of(params)};
    std::vector<std::vector<int32_t>> lists(1);
    for (int step = 0; step < 40; step++) {
      const size_t at = random() % states.size();
      const uint64_t action = random() % 8;
      if (action == 0 && states.size() < 5) {
        states.push_back(states[at].fork(static_cast<uint32_t>(step)));
        lists.push_back(lists[at]);
        EXPECT_EQ(states.back().choice(), static_cast<uint32_t>(step));
      } else if (action == 1) {
        lists[at].resize(random() % (lists[at].size() + 1));
        states[at].truncate(static_cast<int64_t>(lists[at].size()));
      } else {
        lists[at].push_back(alphabet[random() % alphabet.size()]);
        states[at].commit(lists[at].back());
      }
    }
    for (size_t i = 0; i < states.size(); i++) {
      DecodeState fresh = state_of(params);
      for (const int32_t id : lists[i]) fresh.commit(id);
      ASSERT_EQ(description(states[i]), description(fresh));
      const std::vector<int32_t> rest = bytes_of("cabca");
      EXPECT_EQ(run(states[i], rest).text, run(fresh, rest).text);
    }
  }
}

TEST(DecodeState, CountsPositionsFromThePrompt) {
  DecodeState state = state_of({.choice = 4, .repetition_penalty = 2});
  EXPECT_EQ(state.position(), 3);
  EXPECT_EQ(state.choice(), 4u);
  EXPECT_EQ(state.request().prompt_ids, (std::vector<int32_t>{3, 7}));
  state.commit(9);
  state.commit(2);
  state.commit(9);
  EXPECT_EQ(description(state).substr(0, 2), "6/");
  ASSERT_EQ(state.counts().size(), 2u);
  EXPECT_EQ(state.counts()[0].id, 2);
  EXPECT_EQ(state.counts()[1].times, 2);
  state.truncate(1);
  EXPECT_EQ(state.choice(), 4u);
  EXPECT_EQ(state.counts().size(), 1u);
}

}  // namespace
}  // namespace strata::sampling
