// Thoughts, text and calls are a block each; arguments belong to the call before them.
#include "frontend/messages/message_blocks.h"

#include <string>
#include <utility>

namespace strata::frontend {
namespace {

constexpr JsonLimits kInputLimits = {.max_bytes = 16 << 20, .max_depth = 64, .max_values = 500'000};

std::string_view stop_reason(const ApiRequest& request, const MessageEnd& end) {
  if (end.reason == sched::FinishReason::kLength) {
    return request.fills_context ? "model_context_window_exceeded" : "max_tokens";
  }
  if (end.calls) return "tool_use";
  return end.stop ? "stop_sequence" : "end_turn";
}

void extend(Json& block, const char* member, std::string_view text) {
  block[member].get_ref<std::string&>() += text;
}

void close_input(Json& block, std::string& arguments) {
  const std::string text = std::exchange(arguments, {});
  if (text.empty()) return;
  if (auto input = parse_json_object(text, "input", kInputLimits)) {
    block["input"] = std::move(*input);
  }
}

}  // namespace

Json empty_block(const Delta& delta) {
  if (delta.kind == DeltaKind::kContent) return {{"type", "text"}, {"text", ""}};
  if (delta.kind == DeltaKind::kReasoning) {
    return {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}};
  }
  return {{"type", "tool_use"}, {"id", delta.id}, {"name", delta.text}, {"input", Json::object()}};
}

Json block_delta(const Delta& delta) {
  switch (delta.kind) {
    case DeltaKind::kContent:
      return {{"type", "text_delta"}, {"text", delta.text}};
    case DeltaKind::kReasoning:
      return {{"type", "thinking_delta"}, {"thinking", delta.text}};
    case DeltaKind::kArguments:
      return {{"type", "input_json_delta"}, {"partial_json", delta.text}};
    case DeltaKind::kCall:
      break;
  }
  return {};
}

Json message_blocks(std::span<const Delta> deltas) {
  Json blocks = Json::array();
  std::optional<DeltaKind> last;
  std::string arguments;
  for (const Delta& delta : deltas) {
    if (begins_part(last, delta)) {
      if (!blocks.empty()) close_input(blocks.back(), arguments);
      blocks.push_back(empty_block(delta));
    }
    last = delta.kind;
    if (delta.kind == DeltaKind::kContent) extend(blocks.back(), "text", delta.text);
    if (delta.kind == DeltaKind::kReasoning) extend(blocks.back(), "thinking", delta.text);
    if (delta.kind == DeltaKind::kArguments) arguments += delta.text;
  }
  if (!blocks.empty()) close_input(blocks.back(), arguments);
  return blocks;
}

Json message_end(const ApiRequest& request, const MessageEnd& end) {
  const std::string_view reason = stop_reason(request, end);
  const bool stopped = reason == "stop_sequence";
  return {{"stop_reason", reason}, {"stop_sequence", stopped ? Json(*end.stop) : Json()}};
}

Json message_head(const ApiRequest& request, const ResponseHead& head, int64_t output_tokens) {
  return {{"id", head.id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", head.model},
          {"content", Json::array()},
          {"stop_reason", nullptr},
          {"stop_sequence", nullptr},
          {"usage",
           {{"input_tokens", request.prompts.front().size()}, {"output_tokens", output_tokens}}}};
}

}  // namespace strata::frontend
