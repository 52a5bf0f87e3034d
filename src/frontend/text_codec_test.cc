// A tokenizer that knows more ids than its model has rows: allowed, said once, and refused by name
// where a text needs such an id.
#include "frontend/text_codec.h"

#include <gtest/gtest.h>

#include "text/test_support.h"

namespace strata::frontend {
namespace {

// Ids up to 302, of which 300 is the BOS and 301 ends a turn.
Result<TextCodec> codec_for(int64_t vocab) {
  checkpoint::ModelDocuments documents;
  documents.config = "{}";
  documents.tokenizer = text::byte_level_json();
  documents.chat_templates = {{"default", "{{ messages[0].content }}<|im_end|>", "test"}};
  return TextCodec::create(documents, vocab);
}

TEST(TextCodec, WarnsOfIdsThatTheModelLacks) {
  EXPECT_EQ(codec_for(303)->warning(), std::nullopt);
  EXPECT_EQ(codec_for(1000)->warning(), std::nullopt);
  const auto warning = codec_for(302)->warning();
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->find("ids up to 302, the model has rows for 0 to 301"), std::string::npos)
      << *warning;
}

TEST(TextCodec, RefusesTextThatNeedsAnIdThatTheModelLacks) {
  const Json chat = *parse_json(R"([{"role": "user", "content": "hello"}])", "chat");
  const auto codec = codec_for(301);
  EXPECT_EQ(codec->encode("hello").value(), (std::vector<int32_t>{300, 259}));
  const auto rendered = codec->encode_chat(chat);
  ASSERT_FALSE(rendered);
  EXPECT_EQ(rendered.error().code, Code::kInvalidData);
  EXPECT_NE(
      rendered.error().message().find(
          "tokenizer.json: token \"<|im_end|>\": got id 301, expected below vocab_size = 301"),
      std::string::npos)
      << rendered.error().message();
  EXPECT_EQ(codec_for(302)->encode_chat(chat).value(), (std::vector<int32_t>{259, 301}));
  EXPECT_FALSE(codec_for(300)->encode("hello"));
}

}  // namespace
}  // namespace strata::frontend
