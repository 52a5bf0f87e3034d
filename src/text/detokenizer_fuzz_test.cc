// Streamed equals whole decode on fuzzed strings and on fuzzed ids, for five released vocabularies
// and two tiny ones.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "text/detokenizer.h"
#include "text/test_support.h"
#include "text/utf8.h"

namespace strata::text {
namespace {

using Ids = std::vector<int32_t>;

constexpr std::string_view kParts[] = {
    " ",         "  ",    "\n",     "\t",     "\r\n",   "a",
    "the",       "Hello", "0",      "123",    "!",      "...",
    "'s",        "é",     "ß",      "ǆ",      "ﬁ",      "日本",
    "한국",      "א",     "नि",     "ก็",      "🦙",     "👩‍🚀",
    "🇩🇪",        "½",     "\u200b", "\u00a0", "\ufeff", "\u0301",
    "\uFFFD",    "▁",     "Ġ",      "<s>",    "</s>",   "<|endoftext|>",
    "<0x0A>",    "{",     "}",      "\\",     "\x01",   "\x7f",
    "\U0010FFFF"};

struct Rng {
  std::mt19937_64 engine;
  uint32_t below(size_t count) { return static_cast<uint32_t>(engine() % count); }
};

std::string utf8_of(uint32_t c) {
  std::string text;
  const auto tail = [&](int shift) {
    text.push_back(static_cast<char>(0x80 | ((c >> shift) & 0x3F)));
  };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) {
    text.push_back(static_cast<char>(0xC0 | (c >> 6)));
  } else {
    text.push_back(static_cast<char>(c < 0x10000 ? 0xE0 | (c >> 12) : 0xF0 | (c >> 18)));
    if (c >= 0x10000) tail(12);
    tail(6);
  }
  tail(0);
  return text;
}

std::string random_text(Rng& rng) {
  std::string text;
  for (uint32_t left = rng.below(12); left > 0; --left) {
    const uint32_t c = rng.below(0x110000);
    const bool any = rng.below(4) == 0 && (c < 0xD800 || c > 0xDFFF);
    text += any ? utf8_of(c) : std::string(kParts[rng.below(std::size(kParts))]);
  }
  return text;
}

Ids random_ids(const Tokenizer& tokenizer, Rng& rng) {
  Ids ids(rng.below(12));
  for (int32_t& id : ids) {
    // Half of them among the first ids, where the bytes are.
    const auto count = static_cast<size_t>(tokenizer.vocab_size()) + 3;
    id = static_cast<int32_t>(rng.below(2) == 0 ? rng.below(300) : rng.below(count)) - 1;
  }
  return ids;
}

// Streams the ids, forking somewhere; the text, or what went wrong.
std::string streamed(const Tokenizer& tokenizer, const Ids& ids, bool skip, Rng& rng) {
  Detokenizer stream(tokenizer, {.skip_special = skip});
  const uint32_t fork_at = rng.below(ids.size() + 1);
  std::string text;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i == fork_at) {
      Detokenizer fork = stream;
      fork.append(ids[ids.size() - 1 - i]);  // must not touch the original
    }
    const std::string part = stream.append(ids[i]);
    if (!is_utf8(part)) return "half a character";
    text += part;
  }
  const std::string pending = stream.pending();
  const std::string rest = stream.flush();
  return pending == rest ? text + rest : "pending differs from flush";
}

void check(const Tokenizer& tokenizer, size_t strings, uint64_t seed) {
  Rng rng{std::mt19937_64(seed)};
  for (size_t i = 0; i < strings; ++i) {
    const bool skip = rng.below(2) == 0;
    const std::string text = random_text(rng);
    const bool add = rng.below(2) == 0;
    const bool parse = rng.below(2) == 0;
    const auto ids = tokenizer.encode(text, {add, parse});
    ASSERT_TRUE(ids) << ids.error().message();
    ASSERT_EQ(streamed(tokenizer, *ids, skip, rng), tokenizer.decode(*ids, skip).value()) << text;
    const Ids noise = random_ids(tokenizer, rng);
    ASSERT_EQ(streamed(tokenizer, noise, skip, rng), tokenizer.decode(noise, skip).value());
  }
}

void fuzz(size_t strings) {
  std::vector<Tokenizer> tokenizers = {Tokenizer::from_json(byte_level_json()).value(),
                                       Tokenizer::from_json(sentencepiece_json()).value()};
  for (std::string_view name : kVocabularies) {
    auto tokenizer = vocabulary(name);
    REQUIRE_OR_SKIP(tokenizer, "no shared test data: the vocabularies in ../shared/data/vocab");
    tokenizers.push_back(*std::move(tokenizer));
  }
  constexpr size_t kThreads = 2;  // two at once on each tokenizer: they are shared by design
  const size_t each = strings / (tokenizers.size() * kThreads) + 1;
  for (const Tokenizer& tokenizer : tokenizers) {
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] { check(tokenizer, each, 1000 + t); });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(DetokenizerFuzz, Quick) { fuzz(20'000); }
TEST(DetokenizerFuzz, Million) { fuzz(1'000'000); }

}  // namespace
}  // namespace strata::text
