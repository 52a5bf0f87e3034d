// A reader for each type of block, by role.
#include "frontend/messages/message_turns.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace strata::frontend {
namespace {

std::unexpected<Status> strange_block(const std::string& type, std::string_view expected) {
  return fail(Code::kUnsupported, "type", json_excerpt(type), std::string(expected),
              "this model reads text only");
}

// A text, or a list of blocks of text, as parts of a chat's message.
Result<Json> read_text(const Json& content) {
  Json parts = Json::array();
  if (content.is_string()) {
    parts.push_back({{"type", "text"}, {"text", content}});
    return parts;
  }
  if (!content.is_array()) {
    return fail(Code::kInvalidData, "content", json_excerpt(content),
                "a text, or a list of blocks");
  }
  for (size_t i = 0; i < content.size(); i++) {
    const std::string where = fmt::format("content[{}]", i);
    const std::string type = TRY(in_file(where, get_string(content[i], "type")));
    if (type != "text") return in_file<Json>(where, strange_block(type, "\"text\""));
    const std::string text = TRY(in_file(where, get_string(content[i], "text")));
    parts.push_back({{"type", "text"}, {"text", text}});
  }
  return parts;
}

class Turns {
 public:
  explicit Turns(std::vector<std::string>& ignored) : ignored_(ignored) {}

  Result<void> system(const Json& text) {
    if (text.is_string() && text.get_ref<const std::string&>().empty()) return {};
    auto parts = read_text(text);
    if (!parts) return std::unexpected(std::move(parts).error().with_context("system"));
    say("system", *parts);
    return {};
  }

  Result<void> turn(const Json& message) {
    if (!message.is_object()) {
      return fail(Code::kInvalidData, "a message", json_excerpt(message), "{...}");
    }
    const std::string role = TRY(get_string(message, "role"));
    const Json* content = find_member(message, "content");
    if (role != "user" && role != "assistant" && role != "system") {
      return fail(Code::kInvalidData, "role", json_excerpt(role), "user, assistant or system");
    }
    const bool blocks = content != nullptr && content->is_array() && role != "system";
    if (!blocks) {
      say(role, TRY(read_text(content == nullptr ? Json() : *content)));
      return {};
    }
    for (size_t i = 0; i < content->size(); i++) {
      const std::string where = fmt::format("content[{}]", i);
      TRY(in_file(where, role == "user" ? of_user((*content)[i]) : of_assistant((*content)[i])));
    }
    return {};
  }

  Result<Json> take() {
    if (messages_.empty() || messages_.back()["role"] != "assistant") return std::move(messages_);
    return fail(Code::kUnsupported, "messages", "an assistant's turn at the end", "a user's turn",
                "answers that are begun by the client are not supported yet");
  }

 private:
  // Of this role: the last message, or one more.
  Json& open(std::string_view role) {
    if (messages_.empty() || messages_.back()["role"] != role) {
      messages_.push_back({{"role", role}, {"content", Json::array()}});
    }
    return messages_.back();
  }

  void say(std::string_view role, const Json& parts) {
    Json& content = open(role)["content"];
    content.insert(content.end(), parts.begin(), parts.end());
  }

  Result<void> of_user(const Json& block) {
    const std::string type = TRY(get_string(block, "type"));
    if (type == "tool_result") return result(block);
    if (type != "text") return strange_block(type, "\"text\" or \"tool_result\"");
    std::string text = TRY(get_string(block, "text"));
    say("user", Json::array({{{"type", type}, {"text", std::move(text)}}}));
    return {};
  }

  Result<void> result(const Json& block) {
    const std::string id = TRY(get_string(block, "tool_use_id"));
    if (std::ranges::find(call_ids_, id) == call_ids_.end()) {
      return fail(Code::kInvalidData, "tool_use_id", json_excerpt(id),
                  "the id of a tool_use block in an earlier message");
    }
    const Json* content = find_member(block, "content");
    const bool none = content == nullptr || content->is_null();
    Json parts = TRY(read_text(none ? Json("") : *content));
    if (TRY(optional_bool(block, "is_error")).value_or(false)) {
      ignored_.emplace_back("tool_result.is_error");
    }
    messages_.push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", std::move(parts)}});
    return {};
  }

  Result<void> of_assistant(const Json& block) {
    const std::string type = TRY(get_string(block, "type"));
    if (type == "redacted_thinking") return {};
    Json& message = open("assistant");
    if (type == "text") {
      std::string text = TRY(get_string(block, "text"));
      message["content"].push_back({{"type", type}, {"text", std::move(text)}});
    } else if (type == "thinking") {
      const std::string before = message.value("reasoning_content", "");
      message["reasoning_content"] = before + TRY(get_string(block, "thinking"));
    } else if (type == "tool_use") {
      message["tool_calls"].push_back(TRY(call(block)));
    } else {
      return strange_block(type, "\"text\", \"thinking\" or \"tool_use\"");
    }
    return {};
  }

  Result<Json> call(const Json& block) {
    call_ids_.push_back(TRY(get_string(block, "id")));
    const std::string name = TRY(get_string(block, "name"));
    const Json* input = TRY(get_object(block, "input"));
    return Json{{"id", call_ids_.back()},
                {"type", "function"},
                {"function", {{"name", name}, {"arguments", *input}}}};
  }

  std::vector<std::string>& ignored_;
  Json messages_ = Json::array();
  std::vector<std::string> call_ids_;
};

}  // namespace

Result<Json> read_turns(const Json& body, std::vector<std::string>& ignored) {
  Turns turns(ignored);
  const Json* system = find_member(body, "system");
  if (system != nullptr && !system->is_null()) TRY(turns.system(*system));
  const Json* messages = TRY(get_array(body, "messages"));
  if (messages->empty()) {
    return fail(Code::kInvalidData, "messages", "an empty list", "at least one message");
  }
  for (size_t i = 0; i < messages->size(); i++) {
    TRY(in_file(fmt::format("messages[{}]", i), turns.turn((*messages)[i])));
  }
  return turns.take();
}

}  // namespace strata::frontend
