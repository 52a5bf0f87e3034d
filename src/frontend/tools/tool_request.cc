// Definitions first, then the choice among them.
#include "frontend/tools/tool_request.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace strata::frontend {
namespace {

constexpr size_t kMaxTools = 128;  // as OpenAI's
constexpr size_t kMaxName = 64;

bool is_name(const std::string& name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, fits);
}

Result<void> check_type(const Json& object) {
  const std::string type = TRY(get_string(object, "type"));
  if (type == "function") return {};
  return fail(Code::kUnsupported, "type", json_excerpt(type), "\"function\"");
}

// The function's name.
Result<std::string> read_tool(Json& tool) {
  if (!tool.is_object()) return fail(Code::kInvalidData, "a tool", json_excerpt(tool), "{...}");
  TRY(check_type(tool));
  TRY(get_object(tool, "function"));
  Json& function = tool["function"];
  std::string name = TRY(in_file("function", get_string(function, "name")));
  if (!is_name(name)) {
    return fail(Code::kInvalidData, "function.name", json_excerpt(name),
                "1 to 64 letters, digits, \"_\" or \"-\"");
  }
  TRY(in_file("function", optional_string(function, "description")));
  TRY(in_file("function", optional_bool(function, "strict")));
  if (TRY(in_file("function", optional_object(function, "parameters"))) == nullptr) {
    function["parameters"] = {{"type", "object"}, {"properties", Json::object()}};
  }
  return name;
}

Result<std::vector<std::string>> read_definitions(Json& tools) {
  if (tools.size() > kMaxTools) {
    return fail(Code::kInvalidData, "tools", fmt::format("{} of them", tools.size()),
                fmt::format("at most {}", kMaxTools));
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < tools.size(); i++) {
    const std::string where = fmt::format("tools[{}]", i);
    names.push_back(TRY(in_file(where, read_tool(tools[i]))));
    if (std::ranges::count(names, names.back()) > 1) {
      return fail(Code::kInvalidData, where + ".function.name", json_excerpt(names.back()),
                  "a name that no other tool has");
    }
  }
  return names;
}

std::vector<size_t> all_of(const std::vector<std::string>& names) {
  std::vector<size_t> all(names.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

Result<size_t> named_tool(const Json& choice, const std::vector<std::string>& names) {
  TRY(check_type(choice));
  const Json* function = TRY(get_object(choice, "function"));
  const std::string name = TRY(in_file("function", get_string(*function, "name")));
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  return fail(Code::kInvalidData, "function.name", json_excerpt(name), "one of \"tools\"");
}

// True where the model may call something.
Result<bool> read_choice(const Json& body, const std::vector<std::string>& names, ToolAsk& ask) {
  const Json* choice = find_member(body, "tool_choice");
  if (choice == nullptr || choice->is_null() || *choice == "auto") return true;
  if (*choice == "none") return false;
  const bool required = *choice == "required";
  if (!required && !choice->is_object()) {
    return fail(Code::kInvalidData, "tool_choice", json_excerpt(*choice),
                R"("none", "auto", "required" or {"type": "function", "function": {"name"}})");
  }
  if (names.empty()) {
    return fail(Code::kInvalidData, "tool_choice", json_excerpt(*choice), {}, "it needs \"tools\"");
  }
  ask.must = all_of(names);
  ask.named = !required;
  if (!required) ask.must = {TRY(in_file("tool_choice", named_tool(*choice, names)))};
  return true;
}

}  // namespace

Result<ToolAsk> read_tools(const Json& body) {
  ToolAsk ask;
  const Json* given = TRY(optional_array(body, "tools"));
  std::vector<std::string> names;
  if (given != nullptr && !given->empty()) {
    ask.tools = *given;
    names = TRY(read_definitions(ask.tools));
  }
  ask.parallel = TRY(optional_bool(body, "parallel_tool_calls")).value_or(true);
  if (!TRY(read_choice(body, names, ask))) ask.tools = Json();
  return ask;
}

}  // namespace strata::frontend
