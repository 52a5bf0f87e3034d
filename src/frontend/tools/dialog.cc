// A template's text is held against the rows, in their order.
#include "frontend/tools/dialog.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"

namespace strata::frontend {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "tool-call-parser",
     .kind = FieldKind::kChoice,
     .fallback = "auto",
     .choices = "auto|none|pebble|hermes|mistral|pythonic|llama3-json",
     .help = "how the model writes calls of functions; auto finds it in the chat template, none "
             "leaves them in the text"},
    {.name = "reasoning-parser",
     .kind = FieldKind::kChoice,
     .fallback = "auto",
     .choices = "auto|none|think|mistral|seed-oss",
     .help = "how the model marks what it thinks before it answers; auto finds it in the chat "
             "template, none leaves it in the text"},
};

template <class Row>
const Row* named(std::span<const Row> rows, std::string_view name) {
  const auto found = std::ranges::find(rows, name, &Row::name);
  return found == rows.end() ? nullptr : &*found;
}

bool holds_all(std::string_view text, std::span<const std::string_view> signs) {
  return std::ranges::all_of(signs, [&](std::string_view sign) { return text.contains(sign); });
}

bool holds_any(std::string_view text, std::span<const std::string_view> signs) {
  return std::ranges::any_of(
      signs, [&](std::string_view sign) { return !sign.empty() && text.contains(sign); });
}

bool is_of(const ToolFormat& format, std::string_view text) {
  return holds_all(text, format.signs) && !holds_any(text, format.strange);
}

void choose_tools(const DialogChoice& choice, const TextCodec& codec, Dialog& made) {
  const std::string_view text = codec.template_text();
  if (choice.tools != "auto") {
    made.tools = named(tool_formats(), choice.tools);
    made.raw_tools = made.tools == nullptr;
    made.tools_reason = "as asked for";
  } else if (!codec.template_names("tools")) {
    made.tools_reason =
        text.empty() ? "the model has no chat template" : "the chat template takes no tools";
  } else {
    for (const ToolFormat& format : tool_formats()) {
      if (!is_of(format, text)) continue;
      made.tools = &format;
      made.tools_reason = fmt::format("the chat template has {}", format.signs[0]);
      return;
    }
    made.tools_reason = "the chat template writes calls in a way that is not known";
  }
}

void choose_reasoning(const DialogChoice& choice, const TextCodec& codec, Dialog& made) {
  made.reasoning_reason = "as asked for";
  if (choice.reasoning != "auto") {
    made.reasoning = named(reasoning_formats(), choice.reasoning);
    return;
  }
  for (const ReasoningFormat& format : reasoning_formats()) {
    if (!codec.template_text().contains(format.close)) continue;
    made.reasoning = &format;
    made.reasoning_reason = fmt::format("the chat template has {}", format.close);
    return;
  }
  made.reasoning_reason = "the chat template has no tags of thoughts";
}

}  // namespace

FieldList dialog_fields() { return kFields; }

DialogChoice dialog_choice(const FieldValues& values) {
  return {.tools = values.text("tool-call-parser"), .reasoning = values.text("reasoning-parser")};
}

Dialog resolve_dialog(const DialogChoice& choice, const TextCodec& codec) {
  Dialog made;
  choose_tools(choice, codec, made);
  choose_reasoning(choice, codec, made);
  return made;
}

void log_dialog(const Dialog& dialog) {
  const auto name = [](const auto* row) { return row == nullptr ? "none" : row->name; };
  log_info("tool-call-parser {} ({})", name(dialog.tools), dialog.tools_reason);
  log_info("reasoning-parser {} ({})", name(dialog.reasoning), dialog.reasoning_reason);
}

}  // namespace strata::frontend
