// Anthropic's Messages API through the real program, with the model that comes with it: whole,
// streamed, with tools, counted and refused, beside requests of the other API.
#include "api/serve_fixture.h"

namespace strata::testing {
namespace {

constexpr const char* kMessages = "/v1/messages";
constexpr const char* kCount = "/v1/messages/count_tokens";

std::string pebble() { return fs::path(environment("STRATA_SOURCE_DIR")) / "models" / "pebble"; }

Json phone() {
  return {{"name", "phone_person"},
          {"description", "Calls a person on the phone."},
          {"input_schema",
           {{"type", "object"},
            {"properties", {{"person_name", {{"type", "string"}}}}},
            {"required", {"person_name"}}}}};
}

Json asks(const char* question, const Json& more = Json::object()) {
  Json body = {{"max_tokens", 64}, {"messages", {{{"role", "user"}, {"content", question}}}}};
  body.update(more);
  return body;
}

constexpr const char* kPhone = "Please make a phone call to Stulor.";

// The events of a stream with their names, which their data repeats.
std::vector<Json> named_events(const std::string& stream) {
  std::vector<Json> events;
  size_t at = 0;
  while (at < stream.size()) {
    const size_t line = stream.find("\ndata: ", at), end = stream.find("\n\n", at);
    events.push_back(parsed(stream.substr(line + 7, end - line - 7)));
    EXPECT_EQ(stream.substr(at, line - at), "event: " + events.back().value("type", ""));
    at = end + 2;
  }
  return events;
}

// A message as Anthropic's clients put it together.
Json put_together(const std::vector<Json>& events) {
  Json message;
  std::string input;
  for (const Json& event : events) {
    const std::string type = event["type"];
    if (type == "message_start") message = event["message"];
    if (type == "content_block_start") message["content"].push_back(event["content_block"]);
    if (type == "content_block_delta") {
      Json& block = message["content"].back();
      for (const char* name : {"text", "thinking"}) {
        if (event["delta"].contains(name)) {
          block[name] = block[name].get<std::string>() + event["delta"][name].get<std::string>();
        }
      }
      input += event["delta"].value("partial_json", "");
    }
    if (type == "content_block_stop" && !input.empty()) {
      message["content"].back()["input"] = parsed(std::exchange(input, {}));
    }
    if (type == "message_delta") {
      message.update(event["delta"]);
      message["usage"].update(event["usage"]);
    }
  }
  return message;
}

Json without_ids(Json message) {
  message["id"] = "?";
  for (Json& block : message["content"]) {
    if (block.contains("id")) block["id"] = "?";
  }
  return message;
}

class MessagesCli : public ServeCli {
 protected:
  Json streamed(Json body) const {
    body["stream"] = true;
    const Answer got = ask(post(kMessages, body.dump()));
    EXPECT_EQ(got.status, 200) << got.body;
    const std::vector<Json> events = named_events(got.body);
    EXPECT_EQ(events.front()["type"], "message_start");
    EXPECT_EQ(events.back()["type"], "message_stop");
    return put_together(events);
  }
  std::string refusal(const Json& body, int status, const char* type,
                      const char* path = kMessages) const {
    const Json error = answer(path, body, status);
    EXPECT_EQ(error["type"], "error") << error;
    EXPECT_EQ(error["error"]["type"], type) << error;
    return error["error"]["message"];
  }
};

TEST_F(MessagesCli, AMessageSaysWhatTheChatSays) {
  start_server({}, pebble());
  const Json body = asks("Tell me a story", {{"system", "You are pebble."}, {"max_tokens", 4}});
  const Json message = answer(kMessages, body);
  const Json chat = answer(kChat, {{"max_tokens", 4},
                                   {"messages",
                                    {{{"role", "system"}, {"content", "You are pebble."}},
                                     {{"role", "user"}, {"content", "Tell me a story"}}}}});
  EXPECT_EQ(message["content"][0]["text"], chat["choices"][0]["message"]["content"]);
  EXPECT_EQ(message["usage"]["input_tokens"], chat["usage"]["prompt_tokens"]);
  EXPECT_EQ(message["usage"]["output_tokens"], chat["usage"]["completion_tokens"]);
  EXPECT_EQ(message["stop_reason"], "max_tokens");
  EXPECT_TRUE(message["id"].get<std::string>().starts_with("msg_"));
  EXPECT_EQ(without_ids(streamed(body)), without_ids(message));
  Json counted = body;
  counted.erase("max_tokens");
  const Json expected = {{"input_tokens", chat["usage"]["prompt_tokens"]}};
  EXPECT_EQ(answer(kCount, counted), expected);
  const Json sampled = asks("Who are you?", {{"temperature", 1.2}, {"top_k", 50}, {"seed", 7}});
  EXPECT_EQ(without_ids(streamed(sampled)), without_ids(answer(kMessages, sampled)));
}

TEST_F(MessagesCli, CallsAndTheirResultsGoAround) {
  start_server({}, pebble());
  Json body = asks(kPhone, {{"tools", {phone()}}});
  const Json message = answer(kMessages, body);
  EXPECT_EQ(message["stop_reason"], "tool_use") << message;
  const Json call = message["content"].back();
  EXPECT_EQ(call["type"], "tool_use");
  EXPECT_EQ(call["name"], "phone_person");
  EXPECT_EQ(call["input"], Json({{"person_name", "Stulor"}}));
  EXPECT_EQ(without_ids(streamed(body)), without_ids(message));
  body["messages"].push_back({{"role", "assistant"}, {"content", message["content"]}});
  body["messages"].push_back({{"role", "user"},
                              {"content",
                               {{{"type", "tool_result"},
                                 {"tool_use_id", call["id"]},
                                 {"content", "ready, the code is 52"}}}}});
  const Json then = answer(kMessages, body);
  EXPECT_EQ(then["stop_reason"], "end_turn") << then;
  EXPECT_EQ(then["content"][0]["type"], "text");
  const Json forced = asks("Who are you?", {{"tools", {phone()}},
                                            {"temperature", 1.5},
                                            {"seed", 3},
                                            {"tool_choice", {{"type", "any"}}}});
  EXPECT_EQ(answer(kMessages, forced)["content"][0]["type"], "tool_use");
}

TEST_F(MessagesCli, RefusalsAreAnthropicsAndEndNothingElse) {
  start_server();
  const Json none = {{"messages", {{{"role", "user"}, {"content", "hi"}}}}};
  EXPECT_TRUE(refusal(none, 400, "invalid_request_error").starts_with("max_tokens"));
  const Json image = asks(
      "x",
      {{"messages",
        {{{"role", "user"}, {"content", {{{"type", "image"}, {"source", Json::object()}}}}}}}});
  EXPECT_TRUE(refusal(image, 400, "invalid_request_error").contains("messages[0]: content[0]"));
  EXPECT_TRUE(refusal(image, 400, "invalid_request_error", kCount).contains("image"));
  EXPECT_TRUE(refusal(asks("x", {{"model", "gpt"}}), 404, "not_found_error").contains("model"));
  EXPECT_TRUE(refusal(asks("x", {{"stop_sequences", {""}}}), 400, "invalid_request_error")
                  .starts_with("stop_sequences"));
  const std::string large(200'000, 'a');
  EXPECT_TRUE(refusal(asks(large.c_str()), 400, "invalid_request_error")
                  .starts_with("prompt is too long: This model's maximum context length is"));
  const Answer wrong = ask(get(kMessages));
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(parsed(wrong.body)["error"]["type"], "invalid_request_error") << wrong.body;
  const Answer unknown = ask(post(kMessages, asks("x", {{"wish", 1}, {"max_tokens", 2}}).dump()));
  EXPECT_EQ(unknown.status, 200) << unknown.body;
  EXPECT_TRUE(unknown.has("\r\nx-strata-ignored-fields: wish\r\n")) << unknown.head;
  EXPECT_TRUE(unknown.has("\r\nrequest-id: req_")) << unknown.head;
  expect_canary();
}

TEST_F(MessagesCli, KeysGuardItInBothFields) {
  std::ofstream(file("keys")) << "secret\n";
  start_server({"--api-key-file", file("keys")});
  const std::string body = asks("x", {{"max_tokens", 2}}).dump();
  const Answer none = ask(post(kMessages, body));
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(parsed(none.body)["error"]["type"], "authentication_error") << none.body;
  for (const char* field : {"x-api-key: ", "Authorization: Bearer "}) {
    const std::string given = field;
    EXPECT_EQ(ask(post(kMessages, body, given + "secret\r\n")).status, 200) << field;
    EXPECT_EQ(ask(post(kMessages, body, given + "wrong\r\n")).status, 401) << field;
    EXPECT_EQ(ask(post(kCount, body, given + "wrong\r\n")).status, 401) << field;
  }
  EXPECT_EQ(ask(post(kText, text_body("a").dump(), "x-api-key: secret\r\n")).status, 200);
}

}  // namespace
}  // namespace strata::testing
