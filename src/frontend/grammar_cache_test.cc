// What is compiled once, what is charged and for how long, and what goes first.
#include "frontend/grammar_cache.h"

#include <gtest/gtest.h>

#include <string>

#include "text/test_support.h"

namespace strata::frontend {
namespace {

using memory::MemoryTag;
using text::GrammarKind;

constexpr int64_t kVocab = 320;

class GrammarCacheTest : public testing::Test {
 protected:
  GrammarCacheTest() : cache_(tokenizer(), kVocab) {}

  static const text::Tokenizer& tokenizer() {
    static const text::Tokenizer kTokenizer =
        text::Tokenizer::from_json(text::byte_level_json()).value();
    return kTokenizer;
  }

  int64_t charged() const { return account_.bytes(MemoryTag::kText); }
  static int64_t factory_bytes() {
    static const int64_t kBytes = text::GuideFactory::create(tokenizer(), kVocab).value().bytes();
    return kBytes;
  }

  memory::MemoryAccount account_;
  engine::TextBudget text_{account_, 64 << 20};
  GrammarCache cache_;
};

TEST_F(GrammarCacheTest, CompilesEachSourceOnce) {
  cache_.charge_to(text_);
  const auto first = cache_.compile(GrammarKind::kRegex, "a+b");
  ASSERT_TRUE(first);
  const int64_t bytes = cache_.bytes(), all = charged();
  EXPECT_GT(bytes, first->bytes());
  EXPECT_EQ(all, bytes + factory_bytes());
  const auto second = cache_.compile(GrammarKind::kRegex, "a+b");
  ASSERT_TRUE(second);
  EXPECT_EQ(cache_.bytes(), bytes);
  EXPECT_EQ(charged(), all);
  // The same text of another kind is another grammar.
  ASSERT_TRUE(cache_.compile(GrammarKind::kLark, "start: \"a\""));
  ASSERT_FALSE(cache_.compile(GrammarKind::kRegex, "start: \"a\"("));
  EXPECT_GT(cache_.bytes(), bytes);
}

TEST_F(GrammarCacheTest, RemembersRefusals) {
  cache_.charge_to(text_);
  const auto first = cache_.compile(GrammarKind::kRegex, "(?=a)b");
  ASSERT_FALSE(first);
  const int64_t bytes = cache_.bytes();
  EXPECT_GT(bytes, 0);
  const auto second = cache_.compile(GrammarKind::kRegex, "(?=a)b");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message(), first.error().message());
  EXPECT_EQ(cache_.bytes(), bytes);
}

// The one that was asked for longest ago goes, however early it came: what a request still holds
// would be charged beside the cache.
TEST_F(GrammarCacheTest, DropsWhatWasUsedLongestAgo) {
  cache_.charge_to(text_);
  const int64_t most = text_.limit() / 4;
  const std::string padding(200 << 10, ' ');
  const auto compile = [&](int number) {
    const std::string source = "{\"const\":" + std::to_string(1000 + number) + padding + "}";
    return cache_.compile(GrammarKind::kJsonSchema, source);
  };
  const auto oldest = compile(0);
  ASSERT_TRUE(oldest);
  for (int number = 1; number < 60; number++) {
    const auto newest = compile(number);
    ASSERT_TRUE(newest);
    EXPECT_LE(cache_.bytes(), most);
    ASSERT_EQ(charged(), cache_.bytes() + factory_bytes()) << number;
    ASSERT_TRUE(compile(0));
    ASSERT_EQ(charged(), cache_.bytes() + factory_bytes()) << number;
  }
  EXPECT_GT(cache_.bytes(), most - (1 << 20));
}

TEST_F(GrammarCacheTest, ChargesAGrammarAsLongAsARequestHoldsIt) {
  cache_.charge_to(text_);
  auto held = cache_.compile(GrammarKind::kRegex, "[a-z]{1,100}");
  ASSERT_TRUE(held);
  ASSERT_TRUE(cache_.compile(GrammarKind::kRegex, "[0-9]{1,100}"));
  // Nobody can have that much while the cache holds something.
  const auto rest =
      text_.reserve("the rest", text_.limit() - factory_bytes() - held->bytes() - 4096);
  ASSERT_TRUE(rest) << rest.error().message();
  EXPECT_EQ(cache_.bytes(), 0);
  const int64_t with_it = charged();
  held = fail(Code::kCancelled, "ended", {}, {});
  EXPECT_LT(charged(), with_it);
}

TEST_F(GrammarCacheTest, RefusesWhatHasNoRoom) {
  cache_.charge_to(text_);
  ASSERT_TRUE(cache_.compile(GrammarKind::kRegex, "a"));
  std::optional<memory::Charge> taken =
      text_.reserve("all", text_.limit() - factory_bytes() - 8192).value();
  for (int times = 0; times < 2; times++) {
    const auto refused = cache_.compile(GrammarKind::kRegex, "[a-z]{1,1000}");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kBusy);
    EXPECT_EQ(cache_.bytes(), 0);
  }
  taken.reset();
  EXPECT_TRUE(cache_.compile(GrammarKind::kRegex, "[a-z]{1,1000}"));
}

// The vocabulary's trie stays until the end.
TEST_F(GrammarCacheTest, RefusesForGoodWhatDoesNotFitBesideTheVocabulary) {
  cache_.charge_to(text_);
  const auto held = cache_.compile(GrammarKind::kRegex, "a");
  ASSERT_TRUE(held);
  EXPECT_GE(held->owned_bytes(), held->bytes());
  const int64_t most = text_.limit() - factory_bytes();
  const auto refused = text_.reserve("a request", most + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceLimit) << refused.error().message();
  const auto own =
      text_.reserve("its request", most - held->owned_bytes() + 1, held->owned_bytes());
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, Code::kResourceLimit) << own.error().message();
  EXPECT_TRUE(text_.reserve("its request", most - held->owned_bytes(), held->owned_bytes()));
}

TEST_F(GrammarCacheTest, RefusesAVocabularyBeyondHalfOfTheText) {
  engine::TextBudget little(account_, 2 * factory_bytes() - 2);
  cache_.charge_to(little);
  for (int times = 0; times < 2; times++) {
    const auto refused = cache_.compile(GrammarKind::kRegex, "a");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kResourceLimit);
    EXPECT_NE(refused.error().message().find("this vocabulary"), std::string::npos);
  }
  EXPECT_EQ(charged(), 0);
}

}  // namespace
}  // namespace strata::frontend
