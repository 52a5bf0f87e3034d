// The field list, then what a chat says in another way.
#include "frontend/responses/responses_request.h"

#include <fmt/core.h>

#include <string>
#include <utility>

#include "frontend/dialects/body_fields.h"
#include "frontend/dialects/field_names.h"
#include "frontend/responses/responses_input.h"

namespace strata::frontend {
namespace {

constexpr BodyField kFields[] = {
    {"input"},
    {"instructions"},
    {"max_output_tokens"},
    {"tools"},
    {"tool_choice"},
    {"text"},
    {"reasoning"},
    {"include"},
    {"parallel_tool_calls", kAnyBody, Use::kPass},
    {"store", kAnyBody, Use::kInform},
    {"metadata", kAnyBody, Use::kInform},
    {"user", kAnyBody, Use::kInform},
    {"safety_identifier", kAnyBody, Use::kInform},
    {"service_tier", kAnyBody, Use::kInform},
    {"max_tool_calls", kAnyBody, Use::kInform},
    {"prompt_cache_key", kAnyBody, Use::kInform},
    {"prompt_cache_options", kAnyBody, Use::kInform},
    {"prompt_cache_retention", kAnyBody, Use::kInform},
    {"stream_options", kAnyBody, Use::kInform},
    {"previous_response_id", kAnyBody, Use::kOnly, "[]"},
    {"conversation", kAnyBody, Use::kOnly, "[]"},
    {"prompt", kAnyBody, Use::kOnly, "[]"},
    {"background", kAnyBody, Use::kOnly, "[false]"},
    {"truncation", kAnyBody, Use::kOnly, "[\"disabled\"]"},
    {"context_management", kAnyBody, Use::kOnly, "[[]]"},
    {"moderation", kAnyBody, Use::kOnly, "[]"},
    {"top_logprobs", kAnyBody, Use::kOnly, "[0]"},
};

constexpr FieldName kNames[] = {
    {"messages", "input"},
    {"max_tokens", "max_output_tokens"},
    {"response_format.json_schema", "text.format"},
    {"response_format", "text.format"},
    {"chat_template_kwargs.enable_thinking", "reasoning"},
};

Result<Json> read_tool(const Json& tool) {
  if (!tool.is_object()) return fail(Code::kInvalidData, "a tool", json_excerpt(tool), "{...}");
  const std::string type = TRY(get_string(tool, "type"));
  if (type != "function") {
    return fail(Code::kUnsupported, "type", json_excerpt(type), "\"function\"",
                "there are no tools but the client's own");
  }
  Json function = Json::object();
  function["name"] = TRY(get_string(tool, "name"));
  if (const auto text = TRY(optional_string(tool, "description"))) function["description"] = *text;
  const Json* parameters = TRY(optional_object(tool, "parameters"));
  if (parameters != nullptr) function["parameters"] = *parameters;
  TRY(optional_bool(tool, "strict"));
  return Json{{"type", "function"}, {"function", std::move(function)}};
}

Result<void> read_tools(const Json& body, Json& chat) {
  if (const Json* tools = TRY(optional_array(body, "tools"))) {
    chat["tools"] = Json::array();
    for (size_t i = 0; i < tools->size(); i++) {
      chat["tools"].push_back(TRY(in_file(fmt::format("tools[{}]", i), read_tool((*tools)[i]))));
    }
  }
  const Json* choice = find_member(body, "tool_choice");
  if (choice == nullptr || choice->is_null()) return {};
  chat["tool_choice"] = *choice;
  if (!choice->is_object()) return {};
  const std::string type = TRY(in_file("tool_choice", get_string(*choice, "type")));
  if (type != "function") {
    return fail(Code::kUnsupported, "tool_choice.type", json_excerpt(type), "\"function\"");
  }
  const std::string name = TRY(in_file("tool_choice", get_string(*choice, "name")));
  chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", name}}}};
  return {};
}

// A schema's members stand beside its type here, and below a name in a chat.
Result<void> read_text(const Json& body, SortedBody& made) {
  const Json* text = TRY(optional_object(body, "text"));
  if (text == nullptr) return {};
  if (text->value("verbosity", Json("medium")) != "medium") {
    made.ignored.emplace_back("text.verbosity");
  }
  const Json* format = TRY(in_file("text", optional_object(*text, "format")));
  if (format == nullptr) return {};
  made.chat["response_format"] = *format;
  if (format->value("type", Json()) != "json_schema") return {};
  Json schema = *format;
  schema.erase("type");
  made.chat["response_format"] = {{"type", "json_schema"}, {"json_schema", std::move(schema)}};
  return {};
}

// Whether a model thinks is a switch of its chat template; how much is nobody's to say.
Result<void> read_reasoning(const Json& body, SortedBody& made) {
  const Json* reasoning = TRY(optional_object(body, "reasoning"));
  if (reasoning == nullptr) return {};
  const auto effort = TRY(in_file("reasoning", optional_string(*reasoning, "effort")));
  for (const auto& [name, value] : reasoning->items()) {
    if (name != "effort" && !value.is_null()) made.ignored.push_back("reasoning." + name);
  }
  if (!effort) return {};
  if (*effort != "none") made.ignored.emplace_back("reasoning.effort");
  return set_thinking(body, *effort != "none", made);
}

// Of what could be had besides, nothing is made; encrypted thoughts would stand for whole ones.
Result<void> check_include(const Json& body) {
  const auto names = TRY(optional_string_array(body, "include"));
  if (!names) return {};
  for (const std::string& name : *names) {
    if (name == "reasoning.encrypted_content") continue;
    return fail(Code::kUnsupported, "include", json_excerpt(name), {}, "not supported yet");
  }
  return {};
}

Json or_default(const Json& body, const char* name, const Json& fallback) {
  const Json* given = find_member(body, name);
  return given == nullptr || given->is_null() ? fallback : *given;
}

// Definitions as clients' types want them: with all of their members.
Json whole_tools(const Json& body) {
  Json tools = or_default(body, "tools", Json::array());
  for (Json& tool : tools) {
    for (const char* name : {"description", "parameters", "strict"}) {
      if (!tool.contains(name)) tool[name] = nullptr;
    }
  }
  return tools;
}

Json echo_of(const Json& body, const ApiRequest& request) {
  const Json plain = {{"type", "text"}};
  Json text = or_default(body, "text", Json::object());
  if (or_default(text, "format", Json()).is_null()) text["format"] = plain;
  return {{"instructions", or_default(body, "instructions", Json())},
          {"max_output_tokens", or_default(body, "max_output_tokens", Json())},
          {"metadata", or_default(body, "metadata", Json::object())},
          {"parallel_tool_calls", request.format.parallel_calls},
          {"previous_response_id", nullptr},
          {"reasoning", or_default(body, "reasoning", Json::object())},
          {"store", false},
          {"temperature", request.ask.params.temperature},
          {"text", std::move(text)},
          {"tool_choice", or_default(body, "tool_choice", Json("auto"))},
          {"tools", whole_tools(body)},
          {"top_p", request.ask.params.top_p},
          {"truncation", "disabled"}};
}

}  // namespace

Result<ApiRequest> read_responses_request(const Json& body, const ServedModel& model) {
  SortedBody sorted = TRY(sort_body(body, kFields));
  sorted.chat["messages"] = TRY(read_input(body));
  TRY(read_tools(body, sorted.chat));
  TRY(read_text(body, sorted));
  TRY(read_reasoning(body, sorted));
  TRY(check_include(body));
  TRY(optional_object(body, "metadata"));
  const auto most = TRY(optional_int(body, "max_output_tokens", 1, 1 << 24));
  if (most) sorted.chat["max_tokens"] = *most;
  ApiRequest request = TRY(read_api_request(ApiKind::kChat, sorted.chat, model));
  for (std::string& name : request.ignored) {
    const bool thinks = is_set_thinking(body, name);
    if (!thinks) sorted.ignored.push_back(std::move(name));
    // An effort has been listed; that thoughts cannot be left out has not.
    if (thinks && body["reasoning"]["effort"] == "none") {
      sorted.ignored.emplace_back("reasoning.effort");
    }
  }
  request.ignored = std::move(sorted.ignored);
  request.echoed = echo_of(body, request);
  return request;
}

Status in_responses_words(Status status) {
  status.what = rename_field(rename_tool_field(status.what, "parameters"), kNames);
  return status;
}

}  // namespace strata::frontend
