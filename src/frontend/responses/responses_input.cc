// A reader for each type of item.
#include "frontend/responses/responses_input.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace strata::frontend {
namespace {

constexpr std::string_view kTextTypes[] = {"input_text", "output_text", "text", "summary_text",
                                           "reasoning_text"};
constexpr JsonLimits kArgumentLimits = {
    .max_bytes = 1 << 20, .max_depth = 64, .max_values = 100'000};

// A text, or a list of parts of text.
Result<std::string> read_text(const Json& item, const char* member) {
  const Json* given = find_member(item, member);
  if (given != nullptr && given->is_string()) return given->get<std::string>();
  if (given == nullptr || !given->is_array()) {
    return fail(Code::kInvalidData, member,
                given == nullptr ? "no such field" : json_excerpt(*given),
                "a text, or a list of parts");
  }
  std::string text;
  for (size_t i = 0; i < given->size(); i++) {
    const Json& part = (*given)[i];
    const std::string where = fmt::format("{}[{}]", member, i);
    const std::string type = TRY(in_file(where, get_string(part, "type")));
    if (type == "refusal") {
      text += TRY(in_file(where, get_string(part, "refusal")));
    } else if (std::ranges::find(kTextTypes, type) != std::end(kTextTypes)) {
      text += TRY(in_file(where, get_string(part, "text")));
    } else {
      return fail(Code::kUnsupported, where + ".type", json_excerpt(type), "\"input_text\"",
                  "this model reads text only");
    }
  }
  return text;
}

class Items {
 public:
  void instructions(const std::string& text) {
    messages_.push_back({{"role", "system"}, {"content", text}});
  }

  Result<void> item(const Json& item) {
    if (!item.is_object()) return fail(Code::kInvalidData, "an item", json_excerpt(item), "{...}");
    const std::string type = TRY(optional_string(item, "type")).value_or("message");
    if (type == "message") return message(item);
    if (type == "reasoning") return reasoning(item);
    if (type == "function_call") return call(item);
    if (type == "function_call_output") return result(item);
    return fail(Code::kUnsupported, "type", json_excerpt(type),
                "message, reasoning, function_call or function_call_output");
  }

  Json take() { return std::move(messages_); }

 private:
  // The turn that the assistant's items are of.
  Json& assistant() {
    if (messages_.empty() || messages_.back()["role"] != "assistant") {
      messages_.push_back({{"role", "assistant"}, {"content", ""}});
    }
    return messages_.back();
  }

  Result<void> message(const Json& item) {
    const std::string role = TRY(get_string(item, "role"));
    if (role != "user" && role != "assistant" && role != "system" && role != "developer") {
      return fail(Code::kInvalidData, "role", json_excerpt(role),
                  "user, assistant, system or developer");
    }
    const std::string text = TRY(read_text(item, "content"));
    if (role == "assistant") {
      extend(assistant(), "content", text);
    } else {
      messages_.push_back({{"role", role}, {"content", text}});
    }
    return {};
  }

  // A summary stands for thoughts that are not there.
  Result<void> reasoning(const Json& item) {
    const Json* content = find_member(item, "content");
    const bool whole = content != nullptr && !content->is_null();
    const std::string text = TRY(read_text(item, whole ? "content" : "summary"));
    if (!text.empty()) extend(assistant(), "reasoning_content", text);
    return {};
  }

  Result<void> call(const Json& item) {
    const std::string id = TRY(get_string(item, "call_id"));
    const std::string name = TRY(get_string(item, "name"));
    const std::string text = TRY(get_string(item, "arguments"));
    Json arguments = Json::object();
    if (!text.empty()) arguments = TRY(parse_json_object(text, "arguments", kArgumentLimits));
    call_ids_.push_back(id);
    assistant()["tool_calls"].push_back(
        {{"id", id},
         {"type", "function"},
         {"function", {{"name", name}, {"arguments", std::move(arguments)}}}});
    return {};
  }

  Result<void> result(const Json& item) {
    const std::string id = TRY(get_string(item, "call_id"));
    if (std::ranges::find(call_ids_, id) == call_ids_.end()) {
      return fail(Code::kInvalidData, "call_id", json_excerpt(id),
                  "the call_id of an earlier function_call");
    }
    const std::string text = TRY(read_text(item, "output"));
    messages_.push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", text}});
    return {};
  }

  static void extend(Json& message, const char* member, const std::string& text) {
    message[member] = message.value(member, "") + text;
  }

  Json messages_ = Json::array();
  std::vector<std::string> call_ids_;
};

}  // namespace

Result<Json> read_input(const Json& body) {
  Items items;
  const auto instructions = TRY(optional_string(body, "instructions"));
  if (instructions && !instructions->empty()) items.instructions(*instructions);
  const Json* input = find_member(body, "input");
  if (input != nullptr && input->is_string()) {
    TRY(items.item({{"role", "user"}, {"content", *input}}));
    return items.take();
  }
  if (input == nullptr || !input->is_array() || input->empty()) {
    return fail(Code::kInvalidData, "input",
                input == nullptr ? "no such field" : json_excerpt(*input),
                "a text, or a list of items");
  }
  for (size_t i = 0; i < input->size(); i++) {
    TRY(in_file(fmt::format("input[{}]", i), items.item((*input)[i])));
  }
  return items.take();
}

}  // namespace strata::frontend
