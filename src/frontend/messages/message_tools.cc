// Definitions, then the choice.
#include "frontend/messages/message_tools.h"

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

namespace strata::frontend {
namespace {

Result<Json> read_tool(const Json& tool) {
  if (!tool.is_object()) return fail(Code::kInvalidData, "a tool", json_excerpt(tool), "{...}");
  const auto type = TRY(optional_string(tool, "type"));
  if (type && *type != "custom") {
    return fail(Code::kUnsupported, "type", json_excerpt(*type), "\"custom\"",
                "there are no tools but the client's own");
  }
  Json function = Json::object();
  function["name"] = TRY(get_string(tool, "name"));
  if (const auto text = TRY(optional_string(tool, "description"))) function["description"] = *text;
  function["parameters"] = *TRY(get_object(tool, "input_schema"));
  return Json{{"type", "function"}, {"function", std::move(function)}};
}

// What both APIs say with a word alone.
constexpr std::pair<std::string_view, std::string_view> kWords[] = {
    {"auto", "auto"}, {"any", "required"}, {"none", "none"}};

Result<Json> chat_choice(const Json& choice) {
  const std::string type = TRY(get_string(choice, "type"));
  for (const auto& [own, chat] : kWords) {
    if (own == type) return Json(chat);
  }
  if (type != "tool") {
    return fail(Code::kInvalidData, "type", json_excerpt(type), "auto, any, tool or none");
  }
  const std::string name = TRY(get_string(choice, "name"));
  return Json{{"type", "function"}, {"function", {{"name", name}}}};
}

}  // namespace

Result<void> read_message_tools(const Json& body, Json& chat) {
  if (const Json* tools = TRY(optional_array(body, "tools"))) {
    chat["tools"] = Json::array();
    for (size_t i = 0; i < tools->size(); i++) {
      chat["tools"].push_back(TRY(in_file(fmt::format("tools[{}]", i), read_tool((*tools)[i]))));
    }
  }
  const Json* choice = TRY(optional_object(body, "tool_choice"));
  if (choice == nullptr) return {};
  chat["tool_choice"] = TRY(in_file("tool_choice", chat_choice(*choice)));
  const auto single =
      TRY(in_file("tool_choice", optional_bool(*choice, "disable_parallel_tool_use")));
  if (single) chat["parallel_tool_calls"] = !*single;
  return {};
}

}  // namespace strata::frontend
