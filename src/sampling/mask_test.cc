// Grammars over rows: what they ban, where end tokens join, and how other parameters meet them.
#include "sampling/mask.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "sampling/test_support.h"
#include "text/test_support.h"

namespace strata::sampling {
namespace {

constexpr int64_t kVocab = 320;
constexpr int32_t kEnd = 301;  // <|im_end|>, a special token

const text::Tokenizer& tokenizer() {
  static const text::Tokenizer kTokenizer =
      text::Tokenizer::from_json(text::byte_level_json()).value();
  return kTokenizer;
}

text::Grammar regex(std::string_view source) {
  static const text::GuideFactory kFactory =
      text::GuideFactory::create(tokenizer(), kVocab).value();
  return kFactory.compile(text::GrammarKind::kRegex, source).value();
}

int32_t id_of(std::string_view text) {
  return tokenizer().encode(text, {.add_special_tokens = false}).value().at(0);
}

DecodeState state_of_regex(std::string_view source, SamplingParams params = {.temperature = 0},
                           std::vector<int32_t> stop_ids = {kEnd}) {
  params.grammar = regex(source);
  return DecodeState(make_decode_request(params, std::vector<int32_t>{0}, std::move(stop_ids)),
                     text::Detokenizer(tokenizer()));
}

// Every id equally likely but for `likely`.
std::vector<float> row_for(int32_t likely) {
  std::vector<float> row(kVocab, 1.0F);
  row[static_cast<size_t>(likely)] = 2;
  return row;
}

Result<Sampled> draw(DecodeState& state, std::vector<float> row) {
  SamplerScratch scratch(testing::passes());
  state.prepare_mask();
  const std::vector<float> before = row;
  auto sampled = sample(row, state, scratch);
  EXPECT_EQ(row, before);
  return sampled;
}

TEST(Mask, BansWhatTheGrammarDoes) {
  DecodeState state = state_of_regex("[0-9]+x");
  EXPECT_EQ(draw(state, row_for(id_of("x")))->token, id_of("0"));
  state.commit(id_of("7"));
  EXPECT_EQ(draw(state, row_for(id_of("x")))->token, id_of("x"));
  EXPECT_EQ(draw(state, row_for(kEnd))->token, id_of("0")) << "no end inside of a text";
  EXPECT_EQ(draw(state, row_for(319))->token, id_of("0")) << "no token at all";
}

TEST(Mask, MasksEveryIdOfARowAlike) {
  for (const char* source : {"[a-z]{2,4}", "(?s:.*)", "hello", "é|ü"}) {
    DecodeState state = state_of_regex(source);
    state.prepare_mask();
    std::vector<float> row(kVocab);
    for (size_t i = 0; i < row.size(); i++) row[i] = static_cast<float>(i);
    std::vector<float> masked;
    mask_row(row, state, masked);
    ASSERT_EQ(masked.size(), row.size());
    for (int32_t id = 0; id < kVocab; id++) {
      const auto at = static_cast<size_t>(id);
      EXPECT_EQ(masked[at], mask_allows(state, id) ? row[at] : -INFINITY) << source << " " << id;
    }
  }
}

TEST(Mask, EndsWithAnEndTokenWhereTheTextMayEnd) {
  DecodeState state = state_of_regex("a+");
  EXPECT_FALSE(state.commit(id_of("a")).stopped);
  EXPECT_EQ(draw(state, row_for(kEnd))->token, kEnd);
  const auto ended = state.commit(kEnd);
  EXPECT_TRUE(ended.stopped);
  EXPECT_EQ(ended.text, "");
}

TEST(Mask, LeavesOnlyEndTokensOnceTheTextIsComplete) {
  DecodeState state = state_of_regex("ab");
  state.commit(id_of("a"));
  EXPECT_FALSE(state.commit(id_of("b")).stopped);
  EXPECT_TRUE(state.must_end());
  EXPECT_EQ(draw(state, row_for(id_of("a")))->token, kEnd);
  EXPECT_TRUE(state.commit(kEnd).stopped);
}

TEST(Mask, StopsACompleteTextThatHasNoEndToken) {
  DecodeState state = state_of_regex("ab", {.temperature = 0}, {});
  EXPECT_FALSE(state.commit(id_of("a")).stopped);
  const auto last = state.commit(id_of("b"));
  EXPECT_TRUE(last.stopped);
  EXPECT_FALSE(last.stop);
  EXPECT_EQ(last.text, "b");
}

TEST(Mask, WinsOverMinTokensOnlyOnceTheTextIsComplete) {
  DecodeState state = state_of_regex("a{1,3}", {.temperature = 0, .min_tokens = 9});
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(draw(state, row_for(kEnd))->token, id_of("a")) << i;
    EXPECT_FALSE(state.commit(id_of("a")).stopped);
  }
  EXPECT_EQ(draw(state, row_for(kEnd))->token, kEnd);
  EXPECT_TRUE(state.commit(kEnd).stopped);
}

TEST(Mask, IsOneBanAmongOthers) {
  SamplingParams params{.temperature = 0};
  params.allowed_token_ids = {id_of("5"), id_of("x"), id_of("a")};
  DecodeState state = state_of_regex("[0-9]x", params);
  EXPECT_EQ(draw(state, row_for(id_of("a")))->token, id_of("5"));
  params.allowed_token_ids = {id_of("a")};
  DecodeState none = state_of_regex("[0-9]x", params);
  const auto nothing = draw(none, row_for(id_of("a")));
  ASSERT_FALSE(nothing);
  EXPECT_NE(nothing.error().message().find("no token is left"), std::string::npos);
}

TEST(Mask, ChangesNoLogprobs) {
  SamplingParams params{.temperature = 0, .logprobs = 3};
  const std::vector<float> row = row_for(id_of("x"));
  DecodeState plain(make_decode_request(params, std::vector<int32_t>{0}, {kEnd}));
  DecodeState guided = state_of_regex("[0-9]", params);
  const auto free = draw(plain, row), bound = draw(guided, row);
  EXPECT_EQ(bound->logprobs->top, free->logprobs->top);
  EXPECT_EQ(bound->logprobs->top[0].id, id_of("x"));
}

TEST(Mask, FailsTheRowWithItsGrammar) {
  DecodeState state = state_of_regex("a[bc]");
  state.commit(id_of("a"));
  state.commit(id_of("z"));  // not what the mask allowed
  const auto sampled = draw(state, row_for(id_of("b")));
  ASSERT_FALSE(sampled);
  EXPECT_NE(sampled.error().message().find("structured output"), std::string::npos);
}

TEST(Mask, ForksAndTruncatesWithTheState) {
  std::mt19937 random(2);
  const char* source = "([a-c]{1,3}[0-9]|hello)+";
  for (int round = 0; round < 8; round++) {
    DecodeState state = state_of_regex(source);
    for (int step = 0; step < 25; step++) {
      std::vector<float> row(kVocab);
      for (float& logit : row) logit = static_cast<float>(random() % 100);
      row[kEnd] = -1;
      const int32_t token = draw(state, row)->token;
      DecodeState fork = state.fork(7);
      EXPECT_EQ(draw(fork, row)->token, token);
      state.commit(token);
      const auto back = static_cast<int64_t>(random() % state.generated().size());
      DecodeState truncated = state.fork(0), fresh = state_of_regex(source);
      truncated.truncate(back);
      for (int64_t i = 0; i < back; i++) fresh.commit(state.generated()[static_cast<size_t>(i)]);
      truncated.prepare_mask();
      fresh.prepare_mask();
      ASSERT_TRUE(std::ranges::equal(truncated.guide()->mask(), fresh.guide()->mask()));
    }
  }
}

}  // namespace
}  // namespace strata::sampling
