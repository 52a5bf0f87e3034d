// One message at a time: role, content, calls.
#include "frontend/chat_messages.h"

#include <fmt/core.h>

#include <algorithm>

namespace strata::frontend {
namespace {

constexpr std::string_view kRoles[] = {"system", "developer", "user", "assistant", "tool"};
constexpr size_t kMaxMessages = 65536;
constexpr JsonLimits kArgumentLimits = {
    .max_bytes = 1 << 20, .max_depth = 64, .max_values = 100'000};

Result<std::string> read_role(const Json& message) {
  std::string role = TRY(get_string(message, "role"));
  if (std::ranges::find(kRoles, role) == std::end(kRoles)) {
    return fail(Code::kInvalidData, "role", json_excerpt(role),
                "system, developer, user, assistant or tool");
  }
  return role == "developer" ? "system" : role;
}

Result<std::string> joined_parts(const Json& parts) {
  std::string text;
  for (const Json& part : parts) {
    if (part.is_string()) {
      text += part.get_ref<const std::string&>();
      continue;
    }
    const std::string type = TRY(get_string(part, "type"));
    if (type != "text" && type != "refusal") {
      return fail(Code::kUnsupported, "content", fmt::format("a part of type \"{}\"", type),
                  "parts of type \"text\"", "this model reads text only");
    }
    text += TRY(get_string(part, type));
  }
  return text;
}

Result<Json> read_content(const Json& message, bool may_be_absent) {
  const Json* content = find_member(message, "content");
  if (content == nullptr || content->is_null()) {
    if (may_be_absent) return Json();
    return fail(Code::kInvalidData, "content", content == nullptr ? "no such field" : "null",
                "a text, or a list of parts");
  }
  if (content->is_string()) return *content;
  if (content->is_array()) return Json(TRY(joined_parts(*content)));
  return fail(Code::kInvalidData, "content", json_excerpt(*content), "a text, or a list of parts");
}

// Clients send arguments as text; templates walk them.
Result<void> open_arguments(Json& call) {
  const Json* function = TRY(get_object(call, "function"));
  TRY(get_string(*function, "name"));
  const Json* arguments = find_member(*function, "arguments");
  if (arguments == nullptr || arguments->is_object()) return {};
  if (!arguments->is_string()) {
    return fail(Code::kInvalidData, "arguments", json_excerpt(*arguments), "a JSON object as text");
  }
  const auto& text = arguments->get_ref<const std::string&>();
  Json opened = Json::object();
  if (!text.empty()) opened = TRY(parse_json_object(text, "arguments", kArgumentLimits));
  call["function"]["arguments"] = std::move(opened);
  return {};
}

// Of calls so far, and what answers one of them.
Result<void> check_tool_message(const Json& message, const std::vector<std::string>& call_ids) {
  const std::string id = TRY(get_string(message, "tool_call_id"));
  if (std::ranges::find(call_ids, id) != call_ids.end()) return {};
  return fail(Code::kInvalidData, "tool_call_id", json_excerpt(id),
              "the id of a call in an earlier message");
}

Result<void> read_calls(Json& calls, std::vector<std::string>& call_ids) {
  for (Json& call : calls) {
    TRY(open_arguments(call));
    if (const auto id = TRY(optional_string(call, "id"))) call_ids.push_back(*id);
  }
  return {};
}

Result<Json> read_message(const Json& given, std::vector<std::string>& call_ids) {
  if (!given.is_object())
    return fail(Code::kInvalidData, "a message", json_excerpt(given), "{...}");
  Json message = given;
  const std::string role = TRY(read_role(given));
  message["role"] = role;
  const Json* calls = TRY(optional_array(given, "tool_calls"));
  const bool has_calls = calls != nullptr && !calls->empty();
  message["content"] = TRY(read_content(given, role == "assistant" && has_calls));
  if (role == "tool") TRY(check_tool_message(message, call_ids));
  if (has_calls) {
    TRY(read_calls(message["tool_calls"], call_ids));
  } else {
    message.erase("tool_calls");
  }
  return message;
}

}  // namespace

Result<Json> read_messages(const Json& messages) {
  if (!messages.is_array() || messages.empty() || messages.size() > kMaxMessages) {
    return fail(Code::kInvalidData, "messages", json_excerpt(messages),
                fmt::format("a list of 1 to {} messages", kMaxMessages));
  }
  Json made = Json::array();
  std::vector<std::string> call_ids;
  for (size_t i = 0; i < messages.size(); i++) {
    auto message = read_message(messages[i], call_ids);
    if (!message) {
      return std::unexpected(
          std::move(message).error().with_context(fmt::format("messages[{}]", i)));
    }
    made.push_back(std::move(*message));
  }
  return made;
}

}  // namespace strata::frontend
