// Calls of functions through the real program, with the model that comes with it: what the model
// writes comes back as a call, whole, streamed and in a batch, and a demanded call is made.
#include "api/serve_fixture.h"

namespace strata::testing {
namespace {

std::string pebble() { return fs::path(environment("STRATA_SOURCE_DIR")) / "models" / "pebble"; }

Json tool(const char* name, const char* description, const char* parameter, Json schema) {
  return {{"type", "function"},
          {"function",
           {{"name", name},
            {"description", description},
            {"parameters",
             {{"type", "object"},
              {"properties", {{parameter, std::move(schema)}}},
              {"required", {parameter}}}}}}};
}

Json light() {
  return tool("set_light_colour", "Changes the colour of the light.", "light_colour",
              {{"type", "string"}, {"enum", {"red", "blue"}}});
}

Json phone() {
  return tool("phone_person", "Calls a person on the phone.", "person_name", {{"type", "string"}});
}

Json asks(const char* question, Json more = Json::object()) {
  Json body = {{"messages", {{{"role", "user"}, {"content", question}}}},
               {"max_tokens", 64},
               {"tools", {light(), phone()}}};
  body.update(more);
  return body;
}

constexpr const char* kPhone = "Please make a phone call to Stulor.";

// The calls of a stream, put together as clients do.
struct Streamed {
  Json calls = Json::array();
  std::string content;
  Json finish_reason;
};

Streamed put_together(const std::vector<Json>& events) {
  Streamed made;
  for (const Json& event : events) {
    if (!event.is_object() || event["choices"].empty()) continue;
    const Json& choice = event["choices"][0];
    made.content += choice["delta"].value("content", "");
    for (const Json& piece : choice["delta"].value("tool_calls", Json::array())) {
      const auto index = piece["index"].get<size_t>();
      if (piece.contains("id")) {
        EXPECT_EQ(index, made.calls.size()) << "numbers are dense";
        made.calls.push_back(piece["function"]);
      } else {
        made.calls[index]["arguments"].get_ref<std::string&>() +=
            piece["function"]["arguments"].get<std::string>();
      }
    }
    if (!choice["finish_reason"].is_null()) made.finish_reason = choice["finish_reason"];
  }
  return made;
}

Json functions(const Json& message) {
  Json made = Json::array();
  for (const Json& call : message["tool_calls"]) made.push_back(call["function"]);
  return made;
}

using ToolsCli = ServeCli;

TEST_F(ToolsCli, WhatTheModelCallsComesBackAsACall) {
  start_server({}, pebble());
  EXPECT_TRUE(errors().contains("tool-call-parser pebble (the chat template has <|tools|>)"))
      << errors();
  const Json choice = answer(kChat, asks(kPhone))["choices"][0];
  const Json expected = {{{"name", "phone_person"}, {"arguments", R"({"person_name": "Stulor"})"}}};
  EXPECT_EQ(functions(choice["message"]), expected) << choice;
  EXPECT_TRUE(choice["message"]["content"].is_null());
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  const Streamed streamed = put_together(stream(kChat, asks(kPhone)));
  EXPECT_EQ(streamed.calls, expected);
  EXPECT_EQ(streamed.content, "");
  EXPECT_EQ(streamed.finish_reason, "tool_calls");
  const Json text = answer(kChat, asks(kPhone, {{"tool_choice", "none"}}))["choices"][0];
  EXPECT_FALSE(text["message"].contains("tool_calls"));
  EXPECT_TRUE(text["message"]["content"].is_string());
}

TEST_F(ToolsCli, TheResultOfACallGoesBackToTheModel) {
  start_server({}, pebble());
  Json body = asks(kPhone);
  Json message = answer(kChat, body)["choices"][0]["message"];
  ASSERT_TRUE(message.contains("tool_calls")) << message;
  body["messages"].push_back(message);
  body["messages"].push_back({{"role", "tool"},
                              {"tool_call_id", message["tool_calls"][0]["id"]},
                              {"content", "ready, the code is 52"}});
  const Json choice = answer(kChat, body)["choices"][0];
  EXPECT_TRUE(choice["message"]["content"].is_string()) << choice;
  EXPECT_EQ(choice["finish_reason"], "stop") << choice;
  body["messages"].back()["tool_call_id"] = "call_of_nobody";
  EXPECT_EQ(answer(kChat, body, 400)["error"]["param"], "messages");
}

// However unlikely the call is to the model.
TEST_F(ToolsCli, ADemandedCallIsMade) {
  start_server({}, pebble());
  const Json named = {{"type", "function"}, {"function", {{"name", "set_light_colour"}}}};
  for (int seed = 0; seed < 4; seed++) {
    const Json body =
        asks("Who are you?", {{"tool_choice", named}, {"temperature", 1.5}, {"seed", seed}});
    const Json choice = answer(kChat, body)["choices"][0];
    ASSERT_EQ(choice["finish_reason"], "tool_calls") << choice;
    ASSERT_EQ(choice["message"]["tool_calls"].size(), 1u) << choice;
    const Json function = functions(choice["message"])[0];
    EXPECT_EQ(function["name"], "set_light_colour");
    const Json colour = parsed(function["arguments"])["light_colour"];
    EXPECT_TRUE(colour == "red" || colour == "blue") << function;
    EXPECT_EQ(put_together(stream(kChat, body)).calls, functions(choice["message"]));
  }
  const Json required = {{"tool_choice", "required"}, {"parallel_tool_calls", false}};
  Json body = asks("Who are you?", required);
  body["tools"] = Json::array({light()});
  const Json any = answer(kChat, body);
  EXPECT_EQ(any["choices"][0]["message"]["tool_calls"].size(), 1u) << any;
}

TEST_F(ToolsCli, ABatchAnswersAsTheServerDoes) {
  const Json rows = {
      {{"custom_id", "a"}, {"url", kChat}, {"body", asks(kPhone)}},
      {{"custom_id", "b"}, {"url", kChat}, {"body", asks(kPhone, {{"tools", Json::array({5})}})}},
      {{"custom_id", "c"}, {"url", kChat}, {"body", asks(kPhone)}}};
  std::ofstream in(file("in.jsonl"));
  for (const Json& row : rows) in << row.dump() << "\n";
  in.close();
  const std::vector<std::string> words = {"batch",           pebble(),    file("in.jsonl"),
                                          file("out.jsonl"), "--threads", "1"};
  EXPECT_EQ(strata(words).exit_code, 65) << "one of the rows is wrong";
  std::vector<Json> made = read_rows(file("out.jsonl"));
  ASSERT_EQ(made.size(), 3u);
  EXPECT_TRUE(made[1]["error"]["message"].get<std::string>().contains("tools[0]"));
  for (const size_t row : {0, 2}) {
    const Json choice = made[row]["response"]["body"]["choices"][0];
    EXPECT_EQ(functions(choice["message"])[0]["name"], "phone_person") << choice;
    EXPECT_EQ(choice["finish_reason"], "tool_calls");
  }
  std::vector<std::string> raw = words;
  raw.insert(raw.end(), {"--tool-call-parser", "none"});
  strata(raw);
  made = read_rows(file("out.jsonl"));
  const Json message = made[0]["response"]["body"]["choices"][0]["message"];
  const std::string call = R"({"name": "phone_person", "arguments": {"person_name": "Stulor"}})";
  EXPECT_EQ(message["content"], "<tool_call>" + call + "</tool_call>");
}

TEST_F(ToolsCli, AModelWithoutToolsRefusesThemByName) {
  start_server();
  const Json refused = answer(kChat, asks(kPhone), 400);
  EXPECT_EQ(refused["error"]["param"], "tools") << refused;
  expect_canary();
}

}  // namespace
}  // namespace strata::testing
