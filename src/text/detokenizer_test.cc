// Detokenizer: streamed text equals the whole decode, never half a character, forks, and the kinds
// of decoders.
#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include "text/test_support.h"
#include "text/utf8.h"

namespace strata::text {
namespace {

using Ids = std::vector<int32_t>;

Tokenizer load(const std::string& json) {
  auto tokenizer = Tokenizer::from_json(json);
  EXPECT_TRUE(tokenizer) << tokenizer.error().message();
  return std::move(tokenizer).value();
}

std::vector<std::string> chunks(Detokenizer& stream, const Ids& ids) {
  std::vector<std::string> parts;
  for (int32_t id : ids) parts.push_back(stream.append(id));
  parts.push_back(stream.flush());
  return parts;
}

using Chunks = std::vector<std::string>;

TEST(Detokenizer, HoldsAnIncompleteCharacter) {
  Detokenizer stream(load(byte_level_json()));
  const Ids llama = {0xF0, 0x9F, 0xA6, 0x99};
  EXPECT_EQ(chunks(stream, llama), Chunks({"", "", "", "🦙", ""}));
  EXPECT_EQ(chunks(stream, Ids({0xF0, 0x9F})), Chunks({"", "", "\uFFFD"}));
  EXPECT_EQ(chunks(stream, Ids({0xF0, 0x9F, 'a'})), Chunks({"", "", "\uFFFDa", ""}));
  EXPECT_EQ(chunks(stream, Ids({0xFF, 0xE2, 0x82, 0xAC})), Chunks({"\uFFFD", "", "", "€", ""}));
}

TEST(Detokenizer, PendingShowsWhatFlushWouldGive) {
  Detokenizer stream(load(sentencepiece_json()));
  const int32_t newline = 3 + '\n';
  EXPECT_EQ(stream.append(newline), "");
  EXPECT_EQ(stream.pending(), "\n");
  EXPECT_EQ(stream.pending(), "\n");
  EXPECT_EQ(stream.flush(), "\n");
  EXPECT_EQ(stream.pending(), "");
}

TEST(Detokenizer, ByteRunsAreJudgedAsAWhole) {
  const Tokenizer tokenizer = load(sentencepiece_json());
  const Ids ids = {3 + 0xE2, 3 + 0x82, 3 + 0xAC, 3 + 0xFF, *tokenizer.token_to_id("h")};
  Detokenizer stream(tokenizer);
  std::string text;
  for (const std::string& part : chunks(stream, ids)) text += part;
  EXPECT_EQ(text, tokenizer.decode(ids).value());
  EXPECT_EQ(text, "\uFFFD\uFFFD\uFFFD\uFFFDh");
}

TEST(Detokenizer, StripsALeadingSpaceOnce) {
  const Tokenizer tokenizer = load(sentencepiece_json());
  const Ids ids = tokenizer.encode("he  he").value();
  Detokenizer stream(tokenizer);
  std::string text;
  for (const std::string& part : chunks(stream, ids)) text += part;
  EXPECT_EQ(text, "he  he");
  Detokenizer more(tokenizer, {.continues = true});
  EXPECT_EQ(more.append(*tokenizer.token_to_id("▁he")), " he");
}

TEST(Detokenizer, LeavesSpecialTokensOutIfAsked) {
  const Tokenizer tokenizer = load(byte_level_json());
  Detokenizer hide(tokenizer);
  Detokenizer show(tokenizer, {.skip_special = false});
  EXPECT_EQ(hide.append(301), "");
  EXPECT_EQ(show.append(301), "<|im_end|>");
  EXPECT_EQ(hide.append(302), "<tool>");
  EXPECT_EQ(hide.append(-5), "");
  EXPECT_EQ(hide.append(99'999), "");
  Detokenizer marks(tokenizer, {.shown = {301}});
  EXPECT_EQ(marks.append(301), "<|im_end|>");
  EXPECT_EQ(marks.append(300), "");
}

TEST(Detokenizer, ACopyIsAFork) {
  Detokenizer stream(load(byte_level_json()));
  for (int32_t id : Ids({'a', 0xF0, 0x9F, 0xA6})) stream.append(id);
  Detokenizer fork = stream;
  EXPECT_EQ(fork.append(0x99), "🦙");
  EXPECT_EQ(stream.append('b'), "\uFFFDb");
}

// Decoders without a table of their own: pieces joined by spaces, WordPiece, Metaspace, and a
// window for the rest.
TEST(Detokenizer, OtherDecodersEqualTheirWholeDecode) {
  const std::string vocab =
      R"({"a":0,"▁b":1,"##c":2,"▁":3,"d</w>":4,"<0xE2>":5,"e▁f":6,".":7,"[S]":8})";
  for (
      const char* decoder : {
          "null",
          R"({"type":"WordPiece","prefix":"##","cleanup":true})",
          R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true})",
          R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true})",
          R"({"type":"BPEDecoder","suffix":"</w>"})",
          R"({"type":"Fuse"})",
          R"({"type":"ByteFallback"})",
          R"({"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}]})",
      }) {
    const Tokenizer tokenizer =
        load(R"({"version":"1.0","model":{"type":"WordLevel","unk_token":"a","vocab":)" + vocab +
             R"(},"decoder":)" + decoder + "}");
    for (uint64_t seed = 1; seed <= 2000; ++seed) {
      Ids ids;
      for (uint64_t rest = seed * 2654435761; rest > 0; rest /= 9) {
        ids.push_back(static_cast<int32_t>(rest % 9));
      }
      Detokenizer stream(tokenizer);
      std::string text;
      for (const std::string& part : chunks(stream, ids)) text += part;
      ASSERT_EQ(text, tokenizer.decode(ids, true).value()) << decoder;
    }
  }
}

TEST(Utf8, FollowsTheReplacementRule) {
  const auto lossy = [](std::string_view bytes) {
    std::string text;
    const size_t taken = append_lossy(bytes, text);
    return taken < bytes.size() ? text + "+" : text;
  };
  EXPECT_EQ(lossy("a€🦙"), "a€🦙");
  EXPECT_EQ(lossy("\xC0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(lossy("\xE0\x9F\xBF"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(lossy("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(lossy("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(lossy("\xF0\x9F\x41"),
            "\uFFFD"
            "A");
  EXPECT_EQ(lossy("\xF1\x80\x80"), "+");
  EXPECT_TRUE(is_utf8("a€🦙\xF4\x8F\xBF\xBF"));
  EXPECT_FALSE(is_utf8("\xF0\x9F"));
  EXPECT_FALSE(is_utf8("\xF5\x80\x80\x80"));
}

}  // namespace
}  // namespace strata::text
