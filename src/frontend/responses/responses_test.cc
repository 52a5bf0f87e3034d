// Bodies of OpenAI's Responses API as the chats that they amount to, what is refused by which name,
// and answers: whole, and as numbered events that put together are the same.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "frontend/dialects/test_dialect.h"
#include "frontend/responses/responses_output.h"
#include "frontend/responses/responses_request.h"
#include "frontend/responses/responses_stream.h"

namespace strata::frontend {
namespace {

using testing::codec;
using testing::hermes;

class Responses : public testing::DialectTest {
 protected:
  Result<ApiRequest> read(const std::string& members) const {
    return read_responses_request(Json::parse("{" + members + "}"), served());
  }
  std::string prompt(const std::string& members) const {
    return codec().decode(read(members).value().prompts[0]).value();
  }
  std::string refusal(const std::string& members) const {
    const auto request = read(members);
    EXPECT_FALSE(request) << members;
    return request ? "" : in_responses_words(request.error()).message();
  }
};

TEST_F(Responses, ItemsBecomeTheChatTheyAmountTo) {
  EXPECT_EQ(prompt(R"("input": "hi")"), "[user]hi");
  EXPECT_EQ(prompt(R"("instructions": "be brief", "input": [
      {"role": "developer", "content": "d"},
      {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "q"}]},
      {"type": "reasoning", "id": "rs_1", "summary": [],
       "content": [{"type": "reasoning_text", "text": "hm"}]},
      {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
       "content": [{"type": "output_text", "text": "let me see", "annotations": []}]},
      {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"x\": 1}"},
      {"type": "function_call", "call_id": "c2", "name": "g", "arguments": ""},
      {"type": "function_call_output", "call_id": "c2",
       "output": [{"type": "input_text", "text": "two"}]},
      {"type": "function_call_output", "call_id": "c1", "output": "one"},
      {"role": "user", "content": "go on"}])"),
            R"([system]be brief[system]d[user]q[assistant](hm)let me see!f{"x": 1}!g{})"
            "[tool]two[tool]one[user]go on");
  EXPECT_EQ(prompt(R"("input": [{"type": "reasoning", "content": null,
      "summary": [{"type": "summary_text", "text": "so"}]}])"),
            "[assistant](so)");
}

TEST_F(Responses, FieldsReachSamplingAndComeBack) {
  const ApiRequest request = read(R"("input": "hi", "max_output_tokens": 7, "temperature": 0.5,
      "top_p": 0.9, "stream": true, "store": true, "metadata": {"a": "b"}, "wish": 1,
      "reasoning": {"effort": "none"}, "parallel_tool_calls": false,
      "text": {"format": {"type": "json_schema", "name": "n", "strict": true,
                          "schema": {"type": "object"}}})")
                                 .value();
  EXPECT_EQ(request.ask.max_tokens, 7);
  EXPECT_TRUE(request.stream.wanted);
  EXPECT_TRUE(request.ask.params.grammar);
  EXPECT_FALSE(request.format.parallel_calls);
  EXPECT_EQ(codec().decode(request.prompts[0]).value(), "[user]hi-");
  EXPECT_EQ(request.ignored, std::vector<std::string>{"wish"});
  EXPECT_EQ(request.echoed["temperature"], 0.5);
  EXPECT_EQ(request.echoed["store"], false) << "nothing is kept";
  EXPECT_EQ(request.echoed["metadata"], Json({{"a", "b"}}));
  EXPECT_EQ(request.echoed["text"]["format"]["name"], "n");
  const ApiRequest bare = read(R"("input": "hi", "reasoning": {"effort": "high"})").value();
  EXPECT_EQ(bare.ignored, std::vector<std::string>{"reasoning.effort"});
  EXPECT_EQ(bare.echoed["text"], Json::parse(R"({"format": {"type": "text"}})"));
  EXPECT_EQ(bare.echoed["tool_choice"], "auto");
}

// What a response repeats is held until it has gone, beside the answer.
TEST_F(Responses, WhatIsRepeatedIsReserved) {
  const auto bytes = [&](const std::string& instructions) {
    const ApiRequest request =
        read(fmt::format(R"("input": "hi", "metadata": {{"a": "{}"}})", instructions)).value();
    return response_bytes(request, 1, 1);
  };
  EXPECT_GE(bytes(std::string(1000, 'a')) - bytes("a"), 10 * 999);
}

constexpr const char* kTools = R"("input": "hi", "tools": [{"type": "function", "name": "f",
  "description": "d", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}},
  "required": ["x"]}}, {"type": "function", "name": "g"}])";

TEST_F(Responses, ToolsAndTheirChoiceAreAChats) {
  const ApiRequest offered = read(kTools).value();
  EXPECT_EQ(offered.format.tools, hermes());
  EXPECT_FALSE(offered.ask.params.grammar);
  EXPECT_TRUE(
      codec()
          .decode(offered.prompts[0])
          .value()
          .starts_with(
              R"(T[{"type": "function", "function": {"name": "f", "description": "d", "parameters": {)"));
  EXPECT_EQ(offered.echoed["tools"][1]["strict"], Json());
  const auto with = [&](const char* choice) {
    return read(fmt::format("{}, \"tool_choice\": {}", kTools, choice)).value();
  };
  EXPECT_TRUE(with(R"("required")").ask.params.grammar);
  EXPECT_TRUE(with(R"({"type": "function", "name": "g"})").ask.params.grammar);
  EXPECT_EQ(with(R"("none")").format.tools, nullptr);
}

TEST_F(Responses, WhatIsWrongIsNamedAsTheClientHasIt) {
  const std::string say = R"("input": "hi", )";
  const std::pair<std::string, const char*> kCases[] = {
      {"", "input: "},
      {R"("input": [])", "input: "},
      {R"("input": [{"role": "tool", "content": "x"}])", "input[0]: role"},
      {R"("input": [{"role": "user"}])", "input[0]: content"},
      {R"("input": [{"role": "user", "content": [{"type": "input_image"}]}])",
       "input[0]: content[0].type: got \"input_image"},
      {R"("input": [{"type": "item_reference", "id": "x"}])", "input[0]: type"},
      {R"("input": [{"type": "function_call_output", "call_id": "c", "output": "x"}])",
       "input[0]: call_id"},
      {R"("input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"}])",
       "input[0]: arguments"},
      {say + R"("max_output_tokens": 0)", "max_output_tokens: "},
      {say + R"("temperature": "hot")", "temperature: "},
      {say + R"("previous_response_id": "resp_1")", "previous_response_id: "},
      {say + R"("background": true)", "background: "},
      {say + R"("include": ["message.output_text.logprobs"])", "include: "},
      {say + R"("tools": [{"type": "web_search"}])", "tools[0]: type: got \"web_search"},
      {say + R"("tools": [{"type": "function", "name": "a b"}])", "tools[0]: name"},
      {say + R"("tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "f"}])",
       "tools[1].name"},
      {say + R"("tools": [{"type": "function", "name": "f", "parameters": {"type": "object",
          "properties": {"x": {"not": {}}}}}], "tool_choice": "required")",
       "tools[0].parameters"},
      {say + R"("tool_choice": "required")", "tool_choice: "},
      {say + R"("tools": [{"type": "function", "name": "f"}], "tool_choice":
          {"type": "function", "name": "h"})",
       "tool_choice: name: got \"h\""},
      {say + R"("tools": [{"type": "function", "name": "f"}], "tool_choice":
          {"type": "allowed_tools", "mode": "auto", "tools": []})",
       "tool_choice.type: "},
      {say + R"("text": {"format": {"type": "regex"}})", "text.format.type: "},
      {say + R"("text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}})",
       "text.format: name"},
      {say + R"("model": "other")", "model: "},
  };
  for (const auto& [members, expected] : kCases) {
    const std::string message = refusal(members);
    EXPECT_TRUE(message.contains(expected)) << members << "\n" << message;
  }
  const Status tokens = {Code::kInvalidArgument, "max_tokens", "0", {}, {}};
  EXPECT_EQ(in_responses_words(tokens).what, "max_output_tokens");
}

// Events, and what they come to as clients put them together.
struct Heard {
  std::vector<std::string> names;
  Json items = Json::array();
  Json response;  // the last one
};

std::string& text_of(Json& item) {
  Json& holder = item.contains("arguments") ? item["arguments"] : item["content"][0]["text"];
  return holder.get_ref<std::string&>();
}

void hear(const Json& data, Heard& heard) {
  const std::string name = heard.names.back();
  if (data.contains("response")) heard.response = data["response"];
  if (name == "response.output_item.added") {
    EXPECT_EQ(data["output_index"], heard.items.size()) << "numbers are dense";
    heard.items.push_back(data["item"]);
  }
  if (data.contains("item_id")) {
    EXPECT_EQ(data["item_id"], heard.items.back()["id"]);
  }
  if (name == "response.content_part.added") heard.items.back()["content"].push_back(data["part"]);
  if (name.ends_with(".delta")) text_of(heard.items.back()) += data["delta"].get<std::string>();
  for (const char* member : {"text", "arguments"}) {
    if (!data.contains(member)) continue;
    EXPECT_EQ(data[member], text_of(heard.items.back())) << name;
  }
  if (name == "response.content_part.done") {
    EXPECT_EQ(data["part"], heard.items.back()["content"][0]);
  }
  if (name != "response.output_item.done") return;
  heard.items.back()["status"] = data["item"]["status"];
  EXPECT_EQ(data["item"], heard.items.back());
}

Heard put_together(const std::string& stream) {
  Heard heard;
  for (const Json& data : testing::events_of(stream)) {
    EXPECT_EQ(data["sequence_number"], heard.names.size());
    heard.names.push_back(data["type"]);
    hear(data, heard);
  }
  return heard;
}

const ResponseHead kHead = {.id = "resp_1", .model = "m", .created_s = 1};

Heard streamed(const ApiRequest& request, const std::string& text, size_t cut,
               sched::FinishReason reason) {
  ResponsesStream writer(request, kHead, codec());
  return put_together(testing::written(writer, text, cut, {.finished = reason}));
}

Json without_call_ids(Json response) {
  for (Json& item : response["output"]) {
    if (item.contains("call_id")) item["call_id"] = "?";
  }
  return response;
}

Json whole(const ApiRequest& request, const std::string& text, size_t tokens,
           sched::FinishReason reason) {
  const Answer answer{
      .ids = std::vector<int32_t>(tokens, 65), .text = text, .has_text = true, .finished = reason};
  return responses_body(request, kHead, std::span(&answer, 1), codec()).value();
}

ApiRequest with_everything() {
  ApiRequest request{.prompts = {{1, 2, 3}}};
  request.format = {.reasoning = &reasoning_formats().front(), .tools = hermes()};
  request.echoed = {{"metadata", Json::object()}};
  return request;
}

constexpr const char* kCall = "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1}}</tool_call>";

TEST(ResponsesStream, EventsComeInOpenAisOrder) {
  const Heard heard = streamed(with_everything(), std::string("<think>hm</think>I see") + kCall,
                               1000, sched::FinishReason::kStop);
  const std::vector<std::string> expected = {"response.created",
                                             "response.in_progress",
                                             "response.output_item.added",
                                             "response.content_part.added",
                                             "response.reasoning_text.delta",
                                             "response.reasoning_text.done",
                                             "response.content_part.done",
                                             "response.output_item.done",
                                             "response.output_item.added",
                                             "response.content_part.added",
                                             "response.output_text.delta",
                                             "response.output_text.done",
                                             "response.content_part.done",
                                             "response.output_item.done",
                                             "response.output_item.added",
                                             "response.function_call_arguments.delta",
                                             "response.function_call_arguments.done",
                                             "response.output_item.done",
                                             "response.completed"};
  EXPECT_EQ(heard.names, expected);
  EXPECT_EQ(without_call_ids(heard.response), Json::parse(R"({
      "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "error": null,
      "incomplete_details": null, "model": "m", "output": [
        {"id": "rs_1_0", "type": "reasoning", "status": "completed", "summary": [],
         "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"id": "msg_1_1", "type": "message", "status": "completed", "role": "assistant",
         "content": [{"type": "output_text", "text": "I see", "annotations": [],
                      "logprobs": []}]},
        {"id": "fc_1_2", "type": "function_call", "status": "completed", "call_id": "?",
         "name": "f", "arguments": "{\"x\": 1}"}],
      "metadata": {}, "usage": {"input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 4}})"));
}

TEST(ResponsesStream, PutTogetherItIsTheWholeAnswer) {
  const std::string call = kCall;
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
      for (const auto reason : {sched::FinishReason::kStop, sched::FinishReason::kLength}) {
        const Heard heard = streamed(request, text, cut, reason);
        const Json expected = whole(request, text, (text.size() + cut - 1) / cut, reason);
        EXPECT_EQ(without_call_ids(heard.response), without_call_ids(expected)) << text;
        EXPECT_EQ(heard.items, heard.response["output"]) << text;
      }
    }
  }
}

TEST(ResponsesStream, AnAnswerThatIsCutOffSaysSo) {
  const Heard heard = streamed(with_everything(), "hello", 2, sched::FinishReason::kLength);
  EXPECT_EQ(heard.names.back(), "response.incomplete");
  EXPECT_EQ(heard.response["status"], "incomplete");
  EXPECT_EQ(heard.response["incomplete_details"], Json({{"reason", "max_output_tokens"}}));
  EXPECT_EQ(heard.items[0]["status"], "incomplete");
}

TEST(ResponsesStream, AFailureEndsTheResponse) {
  ResponsesStream writer(with_everything(), kHead, codec());
  std::string events = writer.start().value();
  events += writer.piece({.token = 65, .text = "hel"}).value();
  events += writer.error({Code::kBusy, "max_tokens: full", {}, {}, {}});
  const Heard heard = put_together(events);
  EXPECT_EQ(heard.names.back(), "response.failed");
  EXPECT_EQ(heard.response["status"], "failed");
  EXPECT_EQ(heard.response["error"],
            Json({{"code", "rate_limit_exceeded"}, {"message", "max_output_tokens: full"}}));
  EXPECT_EQ(heard.response["output"][0]["status"], "incomplete");
}

}  // namespace
}  // namespace strata::frontend
