// The field list, then what a chat says in another way.
#include "frontend/messages/message_request.h"

#include <algorithm>
#include <string>
#include <utility>

#include "frontend/dialects/body_fields.h"
#include "frontend/messages/message_tools.h"
#include "frontend/messages/message_turns.h"

namespace strata::frontend {
namespace {

constexpr int64_t kMostTokens = 1 << 24;

constexpr BodyField kFields[] = {
    {"messages"},
    {"system"},
    {"max_tokens"},
    {"stop_sequences"},
    {"tools"},
    {"tool_choice"},
    {"thinking"},
    {"output_config"},
    {"context_management"},
    {"metadata", kAnyBody, Use::kInform},
    {"service_tier", kAnyBody, Use::kInform},
    {"cache_control", kAnyBody, Use::kInform},
    {"inference_geo", kAnyBody, Use::kInform},
    {"speed", kAnyBody, Use::kInform},
    {"user_profile_id", kAnyBody, Use::kInform},
    {"workspace_id", kAnyBody, Use::kInform},
    {"container", kAnyBody, Use::kOnly, "[]"},
    {"mcp_servers", kAnyBody, Use::kOnly, "[[]]"},
    {"diagnostics", kAnyBody, Use::kInform},
    {"output_format", kAnyBody, Use::kOnly, "[]"},
};

// A switch of the chat template where it has one.
Result<void> read_thinking(const Json& body, SortedBody& made) {
  const Json* thinking = TRY(optional_object(body, "thinking"));
  if (thinking == nullptr) return {};
  const std::string type = TRY(in_file("thinking", get_string(*thinking, "type")));
  if (type != "enabled" && type != "disabled" && type != "adaptive" && type != "between_tools") {
    return fail(Code::kInvalidData, "thinking.type", json_excerpt(type),
                "enabled, disabled, adaptive or between_tools");
  }
  TRY(in_file("thinking", optional_int(*thinking, "budget_tokens", 1, kMostTokens)));
  for (const char* name : {"budget_tokens", "display"}) {
    if (thinking->contains(name)) made.ignored.push_back(std::string("thinking.") + name);
  }
  return set_thinking(body, type != "disabled", made);
}

Result<void> read_output_config(const Json& body, SortedBody& made) {
  const Json* config = TRY(optional_object(body, "output_config"));
  if (config == nullptr) return {};
  if (config->contains("effort")) made.ignored.emplace_back("output_config.effort");
  const Json* format = TRY(in_file("output_config", optional_object(*config, "format")));
  if (format == nullptr) return {};
  const std::string type = TRY(in_file("output_config.format", get_string(*format, "type")));
  if (type != "json_schema") {
    return fail(Code::kUnsupported, "output_config.format.type", json_excerpt(type),
                "\"json_schema\"");
  }
  const Json* schema = TRY(in_file("output_config.format", get_object(*format, "schema")));
  made.chat["response_format"] = {{"type", "json_schema"},
                                  {"json_schema", {{"name", "answer"}, {"schema", *schema}}}};
  return {};
}

// Which thoughts stay in the prompt is the chat template's to say; everything else would be left
// out of it.
Result<void> check_context_management(const Json& body) {
  const Json* management = TRY(optional_object(body, "context_management"));
  if (management == nullptr) return {};
  const Json* edits = TRY(in_file("context_management", optional_array(*management, "edits")));
  for (const Json& edit : edits == nullptr ? Json::array() : *edits) {
    const std::string type = TRY(in_file("context_management.edits", get_string(edit, "type")));
    if (type.starts_with("clear_thinking")) continue;
    return fail(Code::kUnsupported, "context_management.edits", json_excerpt(type), {},
                "not supported yet");
  }
  return {};
}

Result<void> read_stops(const Json& body, Json& chat) {
  const auto stops = TRY(optional_string_array(body, "stop_sequences"));
  if (stops) chat["stop"] = *stops;
  return {};
}

Result<ApiRequest> read(const Json& body, const ServedModel& model, bool answers) {
  SortedBody sorted = TRY(sort_body(body, kFields));
  if (answers) TRY(get_int(body, "max_tokens", 1, kMostTokens));
  sorted.chat["messages"] = TRY(read_turns(body, sorted.ignored));
  TRY(read_message_tools(body, sorted.chat));
  TRY(read_thinking(body, sorted));
  TRY(read_output_config(body, sorted));
  TRY(check_context_management(body));
  TRY(read_stops(body, sorted.chat));
  ApiRequest request = TRY(read_api_request(ApiKind::kChat, sorted.chat, model));
  for (std::string& name : request.ignored) {
    const bool thinks = is_set_thinking(body, name);
    sorted.ignored.push_back(thinks ? "thinking" : std::move(name));
  }
  request.ignored = std::move(sorted.ignored);
  return request;
}

}  // namespace

Result<ApiRequest> read_message_request(const Json& body, const ServedModel& model) {
  ApiRequest request = TRY(read(body, model, true));
  const int64_t wanted = TRY(get_int(body, "max_tokens", 1, kMostTokens));
  const auto prompt = static_cast<int64_t>(request.prompts.front().size());
  const int64_t room = std::max<int64_t>(1, model.max_model_len - prompt);
  request.fills_context = wanted > room;
  request.ask.max_tokens = std::min(wanted, room);
  return request;
}

Result<ApiRequest> read_message_count(const Json& body, const ServedModel& model) {
  return read(body, model, false);
}

}  // namespace strata::frontend
