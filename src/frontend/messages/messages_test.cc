// Bodies of Anthropic's Messages API as the chats that they amount to, what is refused by which
// name, and answers: whole, and as streams that put together are the same.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "frontend/dialects/test_dialect.h"
#include "frontend/messages/message_error.h"
#include "frontend/messages/message_request.h"
#include "frontend/messages/message_response.h"
#include "frontend/messages/message_stream.h"

namespace strata::frontend {
namespace {

using testing::codec;
using testing::codec_of;
using testing::hermes;

class Messages : public testing::DialectTest {
 protected:
  Result<ApiRequest> read(const std::string& text, const TextCodec& by = codec()) const {
    return read_message_request(Json::parse(text), served(by));
  }
  ApiRequest asked(const std::string& more) const {
    return read(R"({"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}])" + more + "}")
        .value();
  }
  std::string prompt(const std::string& members) const {
    return codec().decode(read(R"({"max_tokens": 9, )" + members + "}").value().prompts[0]).value();
  }
  std::string refusal(const std::string& members) const {
    const auto request = read(R"({"max_tokens": 9, )" + members + "}");
    EXPECT_FALSE(request) << members;
    return request ? "" : in_message_words(request.error()).message();
  }
};

TEST_F(Messages, BlocksBecomeTheChatTheyAmountTo) {
  EXPECT_EQ(prompt(R"("messages": [{"role": "user", "content": "hi"}])"), "[user]hi");
  EXPECT_EQ(prompt(R"("system": [{"type": "text", "text": "a", "cache_control": {}},
                                 {"type": "text", "text": "b"}],
      "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]},
                   {"role": "user", "content": "y"}])"),
            "[system]ab[user]xy")
      << "neighbours of one role are one turn";
  EXPECT_EQ(prompt(R"("messages": [
      {"role": "user", "content": "q"},
      {"role": "assistant", "content": [
        {"type": "redacted_thinking", "data": "?"},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "let me see"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {}}]},
      {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "two"}]},
        {"type": "tool_result", "tool_use_id": "c1", "is_error": false},
        {"type": "text", "text": "go on"}]}])"),
            R"([user]q[assistant](hm)let me see!f{"x": 1}!g{}[tool]two[tool][user]go on)");
}

TEST_F(Messages, FieldsReachSamplingByTheirOwnNames) {
  const ApiRequest request = asked(R"(, "stop_sequences": ["a", "b"], "temperature": 0.5,
      "top_k": 3, "top_p": 0.9, "stream": true, "metadata": {"user_id": "u"}, "wish": 1)");
  EXPECT_EQ(request.ask.params.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.ask.params.temperature, 0.5);
  EXPECT_EQ(request.ask.params.top_k, 3);
  EXPECT_EQ(request.ask.max_tokens, 9);
  EXPECT_TRUE(request.stream.wanted);
  EXPECT_FALSE(request.fills_context);
  EXPECT_EQ(request.ignored, std::vector<std::string>{"wish"});
  EXPECT_TRUE(asked(R"(, "output_config": {"format": {"type": "json_schema", "schema":
      {"type": "object"}}})")
                  .ask.params.grammar);
}

TEST_F(Messages, MoreTokensThanTheContextLeavesAreCut) {
  const ApiRequest request =
      read(R"({"max_tokens": 64000, "messages": [{"role": "user", "content": "hi"}]})").value();
  EXPECT_EQ(request.ask.max_tokens, 4000 - std::ssize(request.prompts[0]));
  EXPECT_TRUE(request.fills_context);
}

constexpr const char* kTools = R"(, "tools": [{"name": "f", "description": "d", "input_schema":
  {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
  {"type": "custom", "name": "g", "input_schema": {"type": "object", "properties": {}}}])";

TEST_F(Messages, ToolsAndTheirChoiceAreAChats) {
  const ApiRequest offered = asked(kTools);
  EXPECT_EQ(offered.format.tools, hermes());
  EXPECT_TRUE(offered.format.parallel_calls);
  EXPECT_FALSE(offered.ask.params.grammar);
  const std::string shown = codec().decode(offered.prompts[0]).value();
  EXPECT_TRUE(shown.starts_with(
      R"(T[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {)"))
      << shown;
  const auto with = [&](const char* choice) {
    return asked(fmt::format("{}, \"tool_choice\": {}", kTools, choice));
  };
  EXPECT_TRUE(with(R"({"type": "any"})").ask.params.grammar);
  EXPECT_TRUE(with(R"({"type": "tool", "name": "g"})").ask.params.grammar);
  EXPECT_EQ(with(R"({"type": "none"})").format.tools, nullptr);
  const ApiRequest single = with(R"({"type": "auto", "disable_parallel_tool_use": true})");
  EXPECT_FALSE(single.format.parallel_calls);
  EXPECT_FALSE(single.ask.params.grammar);
}

TEST_F(Messages, ThinkingIsASwitchOfTheTemplate) {
  const auto shown = [&](const ApiRequest& request) {
    return codec().decode(request.prompts[0]).value();
  };
  EXPECT_EQ(shown(asked("")), "[user]hi");
  EXPECT_EQ(shown(asked(R"(, "thinking": {"type": "disabled"})")), "[user]hi-");
  const ApiRequest enabled = asked(R"(, "thinking": {"type": "enabled", "budget_tokens": 2000})");
  EXPECT_EQ(shown(enabled), "[user]hi");
  EXPECT_EQ(enabled.ignored, std::vector<std::string>{"thinking.budget_tokens"});
  const TextCodec plain = codec_of("{% for m in messages %}{{ m.content }}{% endfor %}");
  const auto without = read(R"({"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
      "thinking": {"type": "disabled"}})",
                            plain);
  EXPECT_EQ(without.value().ignored, std::vector<std::string>{"thinking"});
}

TEST_F(Messages, WhatIsWrongIsNamedAsTheClientHasIt) {
  const std::string say = R"("messages": [{"role": "user", "content": "hi"}], )";
  const std::string block = R"("messages": [{"role": "user", "content": [)";
  const std::pair<std::string, const char*> kCases[] = {
      {R"("messages": [])", "messages: "},
      {R"("messages": [{"role": "tool", "content": "x"}])", "messages[0]: role"},
      {R"("messages": [{"role": "user"}])", "messages[0]: content"},
      {R"("messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])",
       "an assistant's turn at the end"},
      {block + R"({"type": "image", "source": {}}]}])",
       "messages[0]: content[0]: type: got \"image"},
      {block + R"({"type": "tool_result", "tool_use_id": "c"}]}])", "content[0]: tool_use_id"},
      {block + R"({"type": "text"}]}])", "messages[0]: content[0]: text"},
      {say + R"("system": [{"type": "image"}])", "system: content[0]: type"},
      {say + R"("system": 5)", "system: "},
      {say + R"("stop_sequences": "a")", "stop_sequences: "},
      {say + R"("temperature": "hot")", "temperature: "},
      {say + R"("thinking": {"type": "hard"})", "thinking.type: "},
      {say + R"("tools": [{"type": "web_search_20250305", "name": "web_search"}])",
       "tools[0]: type: got \"web_search"},
      {say + R"("tools": [{"name": "f"}])", "tools[0]: input_schema"},
      {say + R"("tools": [{"name": "a b", "input_schema": {}}])", "tools[0]: name"},
      {say + R"("tools": [{"name": "f", "input_schema": {}}, {"name": "f", "input_schema": {}}])",
       "tools[1].name"},
      {say + R"("tool_choice": {"type": "any"})", "tool_choice: "},
      {say + R"("tools": [{"name": "f", "input_schema": {}}], "tool_choice":
          {"type": "tool", "name": "h"})",
       "tool_choice: name: got \"h\""},
      {say + R"("tools": [{"name": "f", "input_schema": {"type": "object", "properties":
          {"x": {"not": {}}}}}], "tool_choice": {"type": "any"})",
       "tools[0].input_schema"},
      {say + R"("output_config": {"format": {"type": "regex"}})", "output_config.format.type"},
      {say + R"("mcp_servers": [{"url": "x"}])", "mcp_servers: "},
      {say + R"("container": "c")", "container: "},
      {say + R"("context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]})",
       "context_management.edits: "},
      {say + R"("model": "other")", "model: "},
  };
  for (const auto& [members, expected] : kCases) {
    const std::string message = refusal(members);
    EXPECT_TRUE(message.contains(expected)) << members << "\n" << message;
    EXPECT_FALSE(message.contains("function")) << message;
  }
  const auto none = read(R"({"messages": [{"role": "user", "content": "hi"}]})");
  EXPECT_TRUE(none.error().message().starts_with("max_tokens")) << none.error().message();
}

TEST(MessageError, StatusesHaveAnthropicsWords) {
  const std::pair<int, const char*> kCases[] = {{400, "invalid_request_error"},
                                                {401, "authentication_error"},
                                                {403, "permission_error"},
                                                {404, "not_found_error"},
                                                {405, "invalid_request_error"},
                                                {413, "request_too_large"},
                                                {429, "rate_limit_error"},
                                                {499, "api_error"},
                                                {500, "api_error"},
                                                {503, "overloaded_error"}};
  for (const auto& [status, type] : kCases) {
    const Json expected = {{"type", "error"}, {"error", {{"type", type}, {"message", "why"}}}};
    EXPECT_EQ(message_error(status, "why"), expected);
  }
  const Status too_long = {
      Code::kInvalidArgument, "This model's maximum context length is 9 tokens", "10", {}, {}};
  EXPECT_TRUE(in_message_words(too_long).message().starts_with(
      "prompt is too long: This model's maximum context length is 9 tokens"));
}

// Events as (name, data), and what they come to as Anthropic's clients put them together.
struct Heard {
  std::vector<std::string> names;
  Json message;
};

void extend(Json& target, const Json& more) {
  target.get_ref<std::string&>() += more.get<std::string>();
}

void hear_delta(Json& block, std::string& input, const Json& delta) {
  const std::string type = delta["type"];
  if (type == "text_delta") extend(block["text"], delta["text"]);
  if (type == "thinking_delta") extend(block["thinking"], delta["thinking"]);
  if (type != "input_json_delta") return;
  input += delta["partial_json"].get<std::string>();
  const Json whole = Json::parse(input, nullptr, false);
  if (whole.is_object()) block["input"] = whole;
}

void hear(const Json& data, Heard& heard, std::string& input) {
  const std::string type = data["type"];
  Json& content = heard.message["content"];
  if (type == "message_start") heard.message = data["message"];
  if (type == "content_block_start") {
    EXPECT_EQ(data["index"], content.size()) << "numbers are dense";
    content.push_back(data["content_block"]);
    input.clear();
  }
  if (type == "content_block_delta") hear_delta(content.back(), input, data["delta"]);
  if (type == "content_block_stop") {
    EXPECT_EQ(data["index"], content.size() - 1);
  }
  if (type == "message_delta") {
    heard.message.update(data["delta"]);
    heard.message["usage"].update(data["usage"]);
  }
}

Heard put_together(const std::string& stream) {
  Heard heard;
  std::string input;
  for (const Json& data : testing::events_of(stream)) {
    heard.names.push_back(data["type"]);
    hear(data, heard, input);
  }
  return heard;
}

const ResponseHead kHead = {.id = "msg_1", .model = "m", .created_s = 1};

Heard streamed(const ApiRequest& request, const std::string& text, size_t cut,
               const StreamPiece& last) {
  MessageStream writer(request, kHead, codec());
  return put_together(testing::written(writer, text, cut, last));
}

// Ids of calls are random.
Json without_ids(Json message) {
  for (Json& block : message["content"]) {
    if (block.contains("id")) block["id"] = "?";
  }
  return message;
}

Json whole(const ApiRequest& request, const std::string& text, size_t tokens,
           const StreamPiece& last) {
  const Answer answer{.ids = std::vector<int32_t>(tokens, 65),
                      .text = text,
                      .has_text = true,
                      .finished = last.finished,
                      .stop = last.stop};
  return message_body(request, kHead, std::span(&answer, 1), codec()).value();
}

ApiRequest with_everything() {
  ApiRequest request{.prompts = {{1, 2, 3}}};
  request.format = {.reasoning = &reasoning_formats().front(), .tools = hermes()};
  return request;
}

TEST(MessageStream, EventsComeInAnthropicsOrder) {
  const Heard heard = streamed(with_everything(),
                               "<think>hm</think>I see<tool_call>{\"name\": \"f\", \"arguments\": "
                               "{\"x\": 1}}</tool_call>",
                               1000, {.finished = sched::FinishReason::kStop});
  const std::vector<std::string> block = {"content_block_start", "content_block_delta",
                                          "content_block_stop"};
  std::vector<std::string> expected = {"message_start"};
  for (int i = 0; i < 3; i++) expected.insert(expected.end(), block.begin(), block.end());
  expected.insert(expected.end(), {"message_delta", "message_stop"});
  EXPECT_EQ(heard.names, expected);
  EXPECT_EQ(without_ids(heard.message), Json::parse(R"({
      "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "text", "text": "I see"},
        {"type": "tool_use", "id": "?", "name": "f", "input": {"x": 1}}],
      "stop_reason": "tool_use", "stop_sequence": null,
      "usage": {"input_tokens": 3, "output_tokens": 1}})"));
}

TEST(MessageStream, PutTogetherItIsTheWholeAnswer) {
  const std::string call =
      "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"\\u00e9\"}}</tool_call>";
  const std::string kTexts[] = {"",
                                "hello",
                                "<think>hm</think>hello",
                                call,
                                "a" + call + "b" + call + call,
                                "<think>never ends",
                                "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1",
                                "<tool_call>no call</tool_call>"};
  const ApiRequest request = with_everything();
  for (const std::string& text : kTexts) {
    for (const size_t cut : {1, 3, 1000}) {
      const StreamPiece last = {.finished = sched::FinishReason::kLength};
      const Heard heard = streamed(request, text, cut, last);
      const size_t tokens = (text.size() + cut - 1) / cut;
      EXPECT_EQ(without_ids(heard.message), without_ids(whole(request, text, tokens, last)))
          << text;
      EXPECT_EQ(heard.names.front(), "message_start");
      EXPECT_EQ(heard.names.back(), "message_stop");
    }
  }
}

TEST(MessageBlocks, CallsAreABlockEachAlsoWithoutArguments) {
  const Delta deltas[] = {{.kind = DeltaKind::kCall, .text = "f", .call = 0, .id = "a"},
                          {.kind = DeltaKind::kCall, .text = "g", .call = 1, .id = "b"}};
  const Json blocks = message_blocks(deltas);
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[1]["name"], "g");
  EXPECT_EQ(blocks[1]["input"], Json::object());
}

TEST(MessageStream, AnswersEndForAReason) {
  ApiRequest request{.prompts = {{1}}};
  const auto reason = [&](const StreamPiece& last) {
    const Heard heard = streamed(request, "x", 1, last);
    EXPECT_EQ(heard.message, whole(request, "x", 1, last));
    return heard.message["stop_reason"];
  };
  EXPECT_EQ(reason({.finished = sched::FinishReason::kStop}), "end_turn");
  EXPECT_EQ(reason({.finished = sched::FinishReason::kLength}), "max_tokens");
  const StreamPiece stopped = {.stop = "END", .finished = sched::FinishReason::kStop};
  EXPECT_EQ(reason(stopped), "stop_sequence");
  EXPECT_EQ(streamed(request, "x", 1, stopped).message["stop_sequence"], "END");
  request.fills_context = true;
  EXPECT_EQ(reason({.finished = sched::FinishReason::kLength}), "model_context_window_exceeded");
}

TEST(MessageStream, FailuresAndPausesAreEvents) {
  MessageStream writer({.prompts = {{1}}}, kHead, codec());
  EXPECT_EQ(writer.ping(), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
  const std::string error = writer.error({Code::kBusy, "stop: full", {}, {}, {}});
  EXPECT_EQ(error,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\","
            "\"message\":\"stop_sequences: full\"}}\n\n");
}

}  // namespace
}  // namespace strata::frontend
