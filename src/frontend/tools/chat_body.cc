// The prompt, then the answer's form.
#include "frontend/tools/chat_body.h"

#include <fmt/core.h>

#include <algorithm>

#include "frontend/chat_messages.h"
#include "frontend/tools/tool_grammar.h"
#include "frontend/tools/tool_request.h"

namespace strata::frontend {
namespace {

constexpr std::string_view kVariables = "chat_template_kwargs";
constexpr size_t kMostVariables = 128;
// Not the client's to set: the prompt would no longer be what the other fields say.
constexpr std::string_view kOwnVariables[] = {
    "messages",  "tools",     "documents", "add_generation_prompt", "continue_final_message",
    "bos_token", "eos_token", "tokenize"};

// The template's further variables; those that it does not name have no effect.
Result<Json> read_variables(const Json& body, const TextCodec& codec, ChatBody& made) {
  const Json* given = TRY(optional_object(body, kVariables));
  if (given == nullptr) return Json();
  // Each is looked for in all of the template.
  if (given->size() > kMostVariables) {
    return fail(Code::kInvalidData, std::string(kVariables), fmt::format("{}", given->size()),
                fmt::format("at most {} variables", kMostVariables));
  }
  for (const auto& [name, value] : given->items()) {
    const std::string where = fmt::format("{}.{}", kVariables, name);
    if (std::ranges::find(kOwnVariables, name) != std::end(kOwnVariables)) {
      return fail(Code::kUnsupported, where, {}, "variables of the template's own");
    }
    if (!codec.template_names(name)) made.ignored.push_back(where);
  }
  return *given;
}

Result<void> check_tools(const ToolAsk& ask, const TextCodec& codec, const Dialog& dialog) {
  if (ask.tools.is_null()) return {};
  if (!codec.template_names("tools")) {
    return fail(Code::kUnsupported, "tools", "the model's chat template takes none", {},
                "leave the field out, or serve a model that was trained to call functions");
  }
  if (dialog.tools != nullptr) return {};
  if (!dialog.raw_tools) {
    return fail(Code::kUnsupported, "tools", dialog.tools_reason, {},
                "start with --tool-call-parser and a family's name, or none to get calls as text");
  }
  if (ask.must.empty()) return {};
  return fail(Code::kUnsupported, "tool_choice", "calls are left in the text",
              "\"auto\" or \"none\"", "start without --tool-call-parser none");
}

std::vector<int32_t> marks_of(const AnswerFormat& format, const TextCodec& codec) {
  std::vector<int32_t> ids;
  const auto add = [&](std::string_view mark) {
    if (const auto id = codec.special_id(mark)) ids.push_back(*id);
  };
  if (format.tools != nullptr) std::ranges::for_each(format.tools->marks, add);
  if (format.reasoning != nullptr) {
    add(format.reasoning->open);
    add(format.reasoning->close);
  }
  return ids;
}

}  // namespace

Result<ChatBody> read_chat_body(const Json& body, const TextCodec& codec, const Dialog& dialog) {
  ChatBody made;
  ChatPrompt prompt;
  const Json* messages = find_member(body, "messages");
  prompt.messages = TRY(read_messages(messages == nullptr ? Json() : *messages));
  const ToolAsk ask = TRY(read_tools(body));
  TRY(check_tools(ask, codec, dialog));
  prompt.tools = ask.tools;
  prompt.variables = TRY(read_variables(body, codec, made));
  const std::string rendered = TRY(codec.render_chat(prompt));
  made.ids = TRY(codec.encode_rendered(rendered));
  if (!ask.tools.is_null()) made.format.tools = dialog.tools;
  made.format.parallel_calls = ask.parallel;
  made.format.reasoning = dialog.reasoning;
  made.format.reasoning_open =
      dialog.reasoning != nullptr && opens_reasoning(*dialog.reasoning, rendered);
  made.shown_ids = marks_of(made.format, codec);
  if (!ask.must.empty()) made.calls = TRY(call_grammar(ask, made.format, codec));
  return made;
}

}  // namespace strata::frontend
