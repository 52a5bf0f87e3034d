// OpenAI's Responses API through the real program, with the model that comes with it: whole,
// streamed, with tools and refused, beside the chat that it amounts to.
#include "api/serve_fixture.h"

namespace strata::testing {
namespace {

constexpr const char* kResponses = "/v1/responses";
constexpr const char* kPhone = "Please make a phone call to Stulor.";

std::string pebble() { return fs::path(environment("STRATA_SOURCE_DIR")) / "models" / "pebble"; }

Json phone() {
  return {{"type", "function"},
          {"name", "phone_person"},
          {"description", "Calls a person on the phone."},
          {"parameters",
           {{"type", "object"},
            {"properties", {{"person_name", {{"type", "string"}}}}},
            {"required", {"person_name"}}}}};
}

Json asks(Json input, const Json& more = Json::object()) {
  Json body = {{"input", std::move(input)}, {"max_output_tokens", 64}};
  body.update(more);
  return body;
}

Json user(const char* text) { return Json::array({{{"role", "user"}, {"content", text}}}); }

// Ids are made of the response's, which is random.
Json without_ids(Json response) {
  response["id"] = "?";
  response["created_at"] = 0;
  for (Json& item : response["output"]) {
    item["id"] = "?";
    if (item.contains("call_id")) item["call_id"] = "?";
  }
  return response;
}

class ResponsesCli : public ServeCli {
 protected:
  // The last event's response; texts of deltas are its text.
  Json streamed(Json body) const {
    body["stream"] = true;
    const Answer got = ask(post(kResponses, body.dump()));
    EXPECT_EQ(got.status, 200) << got.body;
    std::string said;
    Json event;
    size_t at = 0;
    for (int number = 0; at < got.body.size(); number++) {
      const size_t line = got.body.find("\ndata: ", at), end = got.body.find("\n\n", at);
      event = parsed(got.body.substr(line + 7, end - line - 7));
      EXPECT_EQ(got.body.substr(at, line - at), "event: " + event.value("type", ""));
      EXPECT_EQ(event["sequence_number"], number);
      said += event.value("delta", "");
      at = end + 2;
    }
    std::string text;
    for (const Json& item : event["response"]["output"]) {
      text += item.contains("arguments") ? item["arguments"] : item["content"][0]["text"];
    }
    EXPECT_EQ(said, text);
    return event["response"];
  }
  std::string refusal(const Json& body, int status, const Json& param) const {
    const Json error = answer(kResponses, body, status)["error"];
    EXPECT_EQ(error["param"], param) << error;
    return error["message"];
  }
};

TEST_F(ResponsesCli, AResponseSaysWhatTheChatSays) {
  start_server({}, pebble());
  const Json body =
      asks("Tell me a story", {{"instructions", "You are pebble."}, {"max_output_tokens", 4}});
  const Json response = answer(kResponses, body);
  const Json chat = answer(kChat, {{"max_tokens", 4},
                                   {"messages",
                                    {{{"role", "system"}, {"content", "You are pebble."}},
                                     {{"role", "user"}, {"content", "Tell me a story"}}}}});
  const Json item = response["output"][0];
  EXPECT_EQ(item["content"][0]["text"], chat["choices"][0]["message"]["content"]);
  EXPECT_EQ(response["usage"]["input_tokens"], chat["usage"]["prompt_tokens"]);
  EXPECT_EQ(response["usage"]["output_tokens"], chat["usage"]["completion_tokens"]);
  EXPECT_EQ(response["status"], "incomplete");
  EXPECT_TRUE(response["id"].get<std::string>().starts_with("resp_"));
  EXPECT_EQ(without_ids(streamed(body)), without_ids(response));
  const Json sampled = asks("Who are you?", {{"temperature", 1.2}, {"top_k", 50}, {"seed", 7}});
  EXPECT_EQ(without_ids(streamed(sampled)), without_ids(answer(kResponses, sampled)));
  const Json schema = {{"type", "object"},
                       {"properties", {{"ok", {{"type", "boolean"}}}}},
                       {"required", {"ok"}},
                       {"additionalProperties", false}};
  const Json format = {{"type", "json_schema"}, {"name", "n"}, {"schema", schema}};
  const Json made = answer(
      kResponses, asks("Is it so?", {{"text", {{"format", format}}}, {"max_output_tokens", 400}}));
  EXPECT_TRUE(parsed(made["output"][0]["content"][0]["text"])["ok"].is_boolean()) << made;
}

TEST_F(ResponsesCli, CallsAndTheirResultsGoAround) {
  start_server({}, pebble());
  const Json tools = {{"tools", {phone()}}};
  Json input = user(kPhone);
  const Json response = answer(kResponses, asks(input, tools));
  EXPECT_EQ(response["status"], "completed");
  const Json call = response["output"].back();
  EXPECT_EQ(call["type"], "function_call") << response;
  EXPECT_EQ(call["name"], "phone_person");
  EXPECT_EQ(call["arguments"], R"({"person_name": "Stulor"})");
  EXPECT_EQ(without_ids(streamed(asks(input, tools))), without_ids(response));
  for (const Json& item : response["output"]) input.push_back(item);
  input.push_back({{"type", "function_call_output"},
                   {"call_id", call["call_id"]},
                   {"output", "ready, the code is 52"}});
  const Json then = answer(kResponses, asks(input, tools));
  EXPECT_EQ(then["output"][0]["type"], "message") << then;
  EXPECT_EQ(then["status"], "completed");
  Json forced = asks("Who are you?", tools);
  forced["tool_choice"] = {{"type", "function"}, {"name", "phone_person"}};
  EXPECT_EQ(answer(kResponses, forced)["output"][0]["type"], "function_call");
}

TEST_F(ResponsesCli, RefusalsNameTheFieldAndEndNothingElse) {
  start_server();
  refusal(Json::object(), 400, "input");
  refusal(asks("x", {{"previous_response_id", "resp_1"}}), 400, "previous_response_id");
  refusal(asks("x", {{"tools", {{{"type", "web_search"}}}}}), 400, "tools");
  refusal(asks("x", {{"model", "gpt"}}), 404, "model");
  refusal(asks("x", {{"max_output_tokens", 0}}), 400, "max_output_tokens");
  refusal(asks("x", {{"top_p", 7}}), 400, "top_p");
  const Json image = {{"role", "user"}, {"content", {{{"type", "input_image"}}}}};
  EXPECT_TRUE(refusal(asks(Json::array({image})), 400, "input").contains("input_image"));
  const std::string large(200'000, 'a');
  EXPECT_TRUE(
      refusal(asks(large), 400, nullptr).starts_with("This model's maximum context length is"));
  const Answer unknown =
      ask(post(kResponses, asks("x", {{"wish", 1}, {"max_output_tokens", 2}}).dump()));
  EXPECT_EQ(unknown.status, 200) << unknown.body;
  EXPECT_TRUE(unknown.has("\r\nx-strata-ignored-fields: wish\r\n")) << unknown.head;
  expect_canary();
}

}  // namespace
}  // namespace strata::testing
