// Items by the kind of delta that begins them.
#include "frontend/responses/responses_output.h"

#include <fmt/core.h>

#include <utility>

#include "frontend/tools/answer_parser.h"

namespace strata::frontend {
namespace {

// Where an item's text is.
std::string& text_of(Json& item) {
  Json& holder = item["type"] == "function_call" ? item["arguments"] : item["content"][0]["text"];
  return holder.get_ref<std::string&>();
}

// Counts that clients' types demand and that nobody has are 0 (docs/api.md).
Json usage_of(const ApiRequest& request, int64_t generated) {
  const int64_t prompt = std::ssize(request.prompts.front());
  return {{"input_tokens", prompt},
          {"input_tokens_details", {{"cached_tokens", 0}, {"cache_write_tokens", 0}}},
          {"output_tokens", generated},
          {"output_tokens_details", {{"reasoning_tokens", 0}}},
          {"total_tokens", prompt + generated}};
}

Json new_item(const Delta& delta, const std::string& id) {
  const Json empty = Json::array();
  if (delta.kind == DeltaKind::kReasoning) {
    const Json part = {{"type", "reasoning_text"}, {"text", ""}};
    return {{"id", "rs_" + id},
            {"type", "reasoning"},
            {"status", "in_progress"},
            {"summary", empty},
            {"content", Json::array({part})}};
  }
  if (delta.kind == DeltaKind::kContent) {
    const Json part = {
        {"type", "output_text"}, {"text", ""}, {"annotations", empty}, {"logprobs", empty}};
    return {{"id", "msg_" + id},
            {"type", "message"},
            {"status", "in_progress"},
            {"role", "assistant"},
            {"content", Json::array({part})}};
  }
  return {{"id", "fc_" + id},    {"type", "function_call"}, {"status", "in_progress"},
          {"call_id", delta.id}, {"name", delta.text},      {"arguments", ""}};
}

}  // namespace

void ResponseOutput::begin(const Delta& delta) {
  const std::string_view bare = std::string_view(id_).substr(id_.find('_') + 1);
  items_.push_back(new_item(delta, fmt::format("{}_{}", bare, items_.size())));
}

void ResponseOutput::extend(const Delta& delta) {
  if (delta.kind != DeltaKind::kCall) text_of(last()) += delta.text;
}

void ResponseOutput::close(bool cut) {
  if (!items_.empty()) last()["status"] = cut ? "incomplete" : "completed";
}

std::string_view response_status(sched::FinishReason reason) {
  return reason == sched::FinishReason::kLength ? "incomplete" : "completed";
}

Json response_object(const ApiRequest& request, const ResponseHead& head,
                     const ResponseState& state, const Json& items) {
  const bool cut = state.status == "incomplete";
  const Json why = {{"reason", "max_output_tokens"}};
  Json made = {
      {"id", head.id},          {"object", "response"}, {"created_at", head.created_s},
      {"status", state.status}, {"error", nullptr},     {"incomplete_details", cut ? why : Json()},
      {"model", head.model},    {"output", items}};
  made.update(request.echoed);
  made["usage"] = state.status == "in_progress" ? Json() : usage_of(request, state.generated);
  return made;
}

Result<Json> responses_body(const ApiRequest& request, const ResponseHead& head,
                            std::span<const Answer> answers, const TextCodec&) {
  const Answer& answer = answers.front();
  const std::string_view status = response_status(*answer.finished);
  AnswerParser parser(request.format);
  ResponseOutput output(head.id);
  std::optional<DeltaKind> last;
  for (const Delta& delta : parser.feed(answer.text, true)) {
    if (begins_part(last, delta)) {
      output.close(false);
      output.begin(delta);
    }
    output.extend(delta);
    last = delta.kind;
  }
  output.close(status == "incomplete");
  return response_object(request, head, {.status = status, .generated = std::ssize(answer.ids)},
                         output.items());
}

}  // namespace strata::frontend
