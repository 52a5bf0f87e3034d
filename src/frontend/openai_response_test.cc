// The shapes of responses where answers are odd: tokens of equal text, no number, no tokenizer.
#include "frontend/openai_response.h"

#include <gtest/gtest.h>

#include <limits>

#include "text/test_support.h"

namespace strata::frontend {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

TextCodec byte_codec() {
  checkpoint::ModelDocuments documents;
  documents.tokenizer = text::byte_level_json();
  return TextCodec::create(documents, 1 << 20).value();
}

Answer answered(std::vector<sampling::TokenLogprobs> logprobs) {
  Answer answer;
  answer.has_text = true;
  answer.finished = sched::FinishReason::kStop;
  answer.wants_logprobs = true;
  for (const auto& of : logprobs) answer.ids.push_back(of.chosen.id);
  answer.logprobs = std::move(logprobs);
  return answer;
}

Json choice(const ApiRequest& request, const Answer& answer) {
  const Json body = response_body(request, {.id = "x", .model = "m", .created_s = 1},
                                  std::span(&answer, 1), byte_codec())
                        .value();
  return body["choices"][0];
}

// Parts of characters all read U+FFFD: the chosen one's number must be the one that is shown.
TEST(OpenAiResponse, TheChosenTokenWinsWhereTextsAreEqual) {
  const TextCodec codec = byte_codec();
  std::vector<int32_t> broken;
  for (int32_t id = 0; broken.size() < 2; id++) {
    if (codec.token_text(id).value() == "\xEF\xBF\xBD") broken.push_back(id);
  }
  const ApiRequest request{.kind = ApiKind::kCompletion, .prompts = {{1}}};
  const Answer answer =
      answered({{.chosen = {broken[0], -2.0F}, .top = {{broken[1], -1.0F}, {broken[0], -2.0F}}}});
  const Json logprobs = choice(request, answer)["logprobs"];
  EXPECT_EQ(logprobs["top_logprobs"][0].size(), 1u);
  EXPECT_EQ(logprobs["top_logprobs"][0].begin().value(), -2.0);
  const ApiRequest chat{.kind = ApiKind::kChat, .prompts = {{1}}};
  const Json content = choice(chat, answer)["logprobs"]["content"][0];
  EXPECT_TRUE(content["bytes"].is_null()) << "a part of a character has no bytes of its own";
  EXPECT_EQ(content["top_logprobs"].size(), 2u);
}

TEST(OpenAiResponse, CallsAndThoughtsAreNoContent) {
  ApiRequest chat{.kind = ApiKind::kChat, .prompts = {{1}}};
  chat.format = {.reasoning = &reasoning_formats().front(), .tools = &tool_formats().front()};
  Answer answer = answered({});
  answer.wants_logprobs = false;
  answer.text =
      "<think>so</think><tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1}}</tool_call>";
  Json made = choice(chat, answer);
  EXPECT_TRUE(made["message"]["content"].is_null());
  EXPECT_EQ(made["message"]["reasoning_content"], "so");
  EXPECT_EQ(made["finish_reason"], "tool_calls");
  ASSERT_EQ(made["message"]["tool_calls"].size(), 1u);
  const Json& call = made["message"]["tool_calls"][0];
  EXPECT_EQ(call["type"], "function");
  EXPECT_EQ(call["function"], Json({{"name", "f"}, {"arguments", "{\"x\": 1}"}}));
  answer.finished = sched::FinishReason::kLength;
  EXPECT_EQ(choice(chat, answer)["finish_reason"], "length");
  answer.text = "Hello";
  made = choice(chat, answer);
  EXPECT_EQ(made["message"],
            Json({{"role", "assistant"}, {"content", "Hello"}, {"refusal", nullptr}}));
}

TEST(OpenAiResponse, NeverIsANumber) {
  const ApiRequest chat{.kind = ApiKind::kChat, .prompts = {{1}}};
  const Json made = choice(chat, answered({{.chosen = {65, kNever}, .top = {}}}));
  EXPECT_EQ(made["logprobs"]["content"][0]["logprob"], -9999.0);
  EXPECT_EQ(made["finish_reason"], "stop");
}

TEST(OpenAiResponse, OffsetsCountCharacters) {
  const TextCodec codec = byte_codec();
  const ApiRequest request{.kind = ApiKind::kCompletion, .prompts = {{1}}};
  const Json logprobs = choice(request, answered({{.chosen = {65, 0}, .top = {}},
                                                  {.chosen = {66, 0}, .top = {}},
                                                  {.chosen = {67, 0}, .top = {}}}))["logprobs"];
  const auto size = [&](int32_t id) { return codec.token_text(id).value().size(); };
  EXPECT_EQ(logprobs["text_offset"], Json::array({0, size(65), size(65) + size(66)}));
}

TEST(OpenAiResponse, IdsAreRandomAndLong) {
  const std::string id = random_id("req_");
  EXPECT_EQ(id.size(), 36u);
  EXPECT_NE(id, random_id("req_"));
}

}  // namespace
}  // namespace strata::frontend
