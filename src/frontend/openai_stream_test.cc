// Events as text: what is said when, and what is kept back.
#include "frontend/openai_stream.h"

#include <gtest/gtest.h>

#include "text/test_support.h"

namespace strata::frontend {
namespace {

TextCodec byte_codec() {
  checkpoint::ModelDocuments documents;
  documents.tokenizer = text::byte_level_json();
  return TextCodec::create(documents, 1 << 20).value();
}

const TextCodec& codec() {
  static const TextCodec kMade = byte_codec();
  return kMade;
}

OpenAiStream writer(const ApiRequest& request) {
  return {request, {.id = "x", .model = "m", .created_s = 1}, codec()};
}

Json only_event(const std::string& text) {
  EXPECT_TRUE(text.starts_with("data: ") && text.ends_with("\n\n")) << text;
  EXPECT_EQ(text.find("\n\n"), text.size() - 2) << text;
  return Json::parse(text.substr(6));
}

TEST(OpenAiStream, SaysNothingWhereAPieceSaysNothing) {
  OpenAiStream chat = writer({.kind = ApiKind::kChat, .prompts = {{1}}});
  EXPECT_EQ(chat.piece({.token = 65}).value(), "");
  const Json said = only_event(chat.piece({.token = 66, .text = "AB"}).value());
  EXPECT_EQ(said["choices"][0]["delta"]["content"], "AB");
  const Json last =
      only_event(chat.piece({.token = 67, .finished = sched::FinishReason::kStop}).value());
  EXPECT_EQ(last["choices"][0]["delta"], Json::object());
  EXPECT_EQ(last["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(chat.end(), "data: [DONE]\n\n");
}

// What is put together as text is what the JSON library would have written, byte by byte.
TEST(OpenAiStream, EventsAreTheirJsonByteByByte) {
  const std::string texts[] = {"plain",   "",     " ", "\"q\" \\ /", "a\nb\tc\r\x01\x1f\x7f",
                               "é 猫 🐈", "\xff!"};
  for (const ApiKind kind : {ApiKind::kChat, ApiKind::kCompletion}) {
    const bool chat = kind == ApiKind::kChat;
    ApiRequest request{.kind = kind, .prompts = {{1}, {2}}, .return_token_ids = true};
    request.stream = {.wanted = true, .usage = true};
    OpenAiStream stream(request, {.id = "x\"1", .model = "m\\é", .created_s = 17}, codec());
    for (const std::string& text : texts) {
      Json choice = {{"index", 1}};
      if (chat) {
        choice["delta"] = text.empty() ? Json::object() : Json{{"content", text}};
      } else {
        choice["text"] = text;
      }
      choice["logprobs"] = nullptr;
      choice["finish_reason"] = "stop";
      choice["stop_reason"] = "\"";
      choice["token_ids"] = {65};
      const Json event = {{"id", "x\"1"},
                          {"object", chat ? "chat.completion.chunk" : "text_completion"},
                          {"created", 17},
                          {"model", "m\\é"},
                          {"choices", Json::array({choice})},
                          {"usage", nullptr}};
      EXPECT_EQ(stream.piece({.answer = 1,
                              .token = 65,
                              .text = text,
                              .stop = "\"",
                              .finished = sched::FinishReason::kStop}),
                sse_event(event));
    }
  }
}

TEST(OpenAiStream, CountsTokensThatItDidNotShow) {
  ApiRequest request{.kind = ApiKind::kCompletion, .prompts = {{1, 2}, {3}}, .n = 2};
  request.stream = {.wanted = true, .usage = true};
  OpenAiStream text = writer(request);
  EXPECT_EQ(text.start().value(), "");
  EXPECT_EQ(text.piece({.answer = 3, .token = 65}).value(), "");
  const Json shown = only_event(text.piece({.answer = 3, .token = 66, .text = "B"}).value());
  EXPECT_EQ(shown["choices"][0]["index"], 3);
  EXPECT_TRUE(shown["usage"].is_null());
  const std::string end = text.end();
  EXPECT_TRUE(end.contains("\"choices\":[]"));
  EXPECT_TRUE(end.contains("{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}"));
}

TEST(OpenAiStream, CountsOffsetsThroughAllPiecesOfAnAnswer) {
  ApiRequest request{.kind = ApiKind::kCompletion, .prompts = {{1}}, .n = 2};
  request.ask.params.logprobs = 0;
  OpenAiStream text = writer(request);
  const int32_t id = codec().encode("A").value().back();
  const auto next = [&](int64_t answer) {
    const Json event = only_event(
        text.piece({.answer = answer, .token = id, .logprobs = {{{id, -1.0F}, {}}}}).value());
    return event["choices"][0]["logprobs"]["text_offset"];
  };
  EXPECT_EQ(next(0), Json::parse("[0]"));
  EXPECT_EQ(next(0), Json::parse("[1]"));
  EXPECT_EQ(next(1), Json::parse("[0]"));
}

ApiRequest asks_with_tools() {
  ApiRequest request{.kind = ApiKind::kChat, .prompts = {{1}}};
  for (const ToolFormat& row : tool_formats()) {
    if (row.name == "hermes") request.format.tools = &row;
  }
  return request;
}

// Clients put the pieces together by the call's number, and take the last event for an empty one.
TEST(OpenAiStream, CallsComeInOpenAisShapes) {
  OpenAiStream chat = writer(asks_with_tools());
  std::vector<Json> choices;
  const auto say = [&](const StreamPiece& piece) {
    std::string text = chat.piece(piece).value();
    for (size_t end = text.find("\n\n"); end != std::string::npos; end = text.find("\n\n")) {
      choices.push_back(Json::parse(text.substr(6, end - 6))["choices"][0]);
      text.erase(0, end + 2);
    }
  };
  say({.token = 65, .text = "Hm <tool_call>{\"name\": \"f\", \"arguments\": {\"x\""});
  say({.token = 66, .text = ": 1}}</tool_call>", .finished = sched::FinishReason::kStop});
  ASSERT_EQ(choices.size(), 5u);
  EXPECT_EQ(choices[0]["delta"], Json({{"content", "Hm"}}));
  const Json call = choices[1]["delta"]["tool_calls"][0];
  EXPECT_EQ(call["index"], 0);
  EXPECT_TRUE(call["id"].get<std::string>().starts_with("call_"));
  EXPECT_EQ(call["type"], "function");
  EXPECT_EQ(call["function"], Json({{"name", "f"}, {"arguments", ""}}));
  const auto fragment = [](const char* text) {
    return Json{{"tool_calls", {{{"index", 0}, {"function", {{"arguments", text}}}}}}};
  };
  EXPECT_EQ(choices[2]["delta"], fragment("{\"x\""));
  EXPECT_EQ(choices[3]["delta"], fragment(": 1}"));
  EXPECT_TRUE(choices[3]["finish_reason"].is_null());
  EXPECT_EQ(choices[4]["delta"], Json::object());
  EXPECT_EQ(choices[4]["finish_reason"], "tool_calls");
}

TEST(OpenAiStream, ThoughtsHaveAFieldOfTheirOwn) {
  ApiRequest request{.kind = ApiKind::kChat, .prompts = {{1}}};
  request.format = {.reasoning = &reasoning_formats().front(), .reasoning_open = true};
  OpenAiStream chat = writer(request);
  const Json thought = only_event(chat.piece({.text = "so"}).value());
  EXPECT_EQ(thought["choices"][0]["delta"], Json({{"reasoning_content", "so"}}));
  const Json said = only_event(
      chat.piece({.text = "</think>Hi", .finished = sched::FinishReason::kStop}).value());
  EXPECT_EQ(said["choices"][0]["delta"], Json({{"content", "Hi"}}));
  EXPECT_EQ(said["choices"][0]["finish_reason"], "stop");
}

TEST(OpenAiStream, WritesNoLineBreakOfTheTextItself) {
  OpenAiStream chat = writer({.kind = ApiKind::kChat, .prompts = {{1}}});
  const Json said = only_event(chat.piece({.text = "a\n\nb\r"}).value());
  EXPECT_EQ(said["choices"][0]["delta"]["content"], "a\n\nb\r");
  const Json error = only_event(chat.error({Code::kCancelled, "cancelled", {}, {}, {}}));
  EXPECT_TRUE(error["error"].is_object());
}

}  // namespace
}  // namespace strata::frontend
