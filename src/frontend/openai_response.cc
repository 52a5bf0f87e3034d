// Two shapes of choices, two shapes of logprobs, one usage.
#include "frontend/openai_response.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/random.h"
#include "frontend/logprobs_json.h"
#include "sched/serialize.h"

namespace strata::frontend {
namespace {

Result<Json> chat_logprobs(const Answer& answer, const TextCodec& codec) {
  if (!answer.wants_logprobs) return Json();
  Json content = Json::array();
  for (const sampling::TokenLogprobs& of : answer.logprobs) {
    content.push_back(TRY(chat_logprob_entry(of, codec)));
  }
  return Json{{"content", std::move(content)}, {"refusal", nullptr}};
}

Result<Json> completion_logprobs(const ApiRequest& request, const Answer& answer,
                                 const Answer& first, const TextCodec& codec) {
  if (!answer.wants_logprobs) return Json();
  CompletionLogprobs lists;
  if (request.ask.echo && !answer.prompt_ids.empty()) {
    lists.add_text(TRY(codec.token_text(answer.prompt_ids.front())));
    lists.values.push_back(nullptr);  // nothing stands before the first token
    lists.tops.push_back(nullptr);
    for (const auto& of : first.prompt_logprobs) TRY(lists.add(of, codec));
  }
  for (const auto& of : answer.logprobs) TRY(lists.add(of, codec));
  return take_lists(lists);
}

Json call_json(const Delta& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.text}, {"arguments", ""}}}};
}

// The text told apart.
struct Message {
  Json json = {{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
  bool calls = false;
};

Message read_message(const Answer& answer, const AnswerFormat& format) {
  Message made;
  if (!answer.has_text) return made;
  AnswerParser parser(format);
  std::string content, reasoning;
  Json calls = Json::array();
  for (const Delta& delta : parser.feed(answer.text, true)) {
    if (delta.kind == DeltaKind::kContent) content += delta.text;
    if (delta.kind == DeltaKind::kReasoning) reasoning += delta.text;
    if (delta.kind == DeltaKind::kCall) calls.push_back(call_json(delta));
    if (delta.kind != DeltaKind::kArguments) continue;
    calls.back()["function"]["arguments"].get_ref<std::string&>() += delta.text;
  }
  made.calls = parser.has_calls();
  if (!made.calls || !content.empty()) made.json["content"] = std::move(content);
  if (!reasoning.empty()) made.json["reasoning_content"] = std::move(reasoning);
  if (made.calls) made.json["tool_calls"] = std::move(calls);
  return made;
}

Result<Json> choice_body(const ApiRequest& request, const Answer& answer, const Answer& first,
                         const TextCodec& codec) {
  Json made;
  bool calls = false;
  if (request.kind == ApiKind::kChat) {
    Message message = read_message(answer, request.format);
    calls = message.calls;
    made["message"] = std::move(message.json);
    made["logprobs"] = TRY(chat_logprobs(answer, codec));
  } else {
    made["text"] = answer.has_text ? Json(answer.text) : Json();
    made["logprobs"] = TRY(completion_logprobs(request, answer, first, codec));
  }
  made["finish_reason"] = finish_reason(*answer.finished, calls);
  made["stop_reason"] = answer.stop ? Json(*answer.stop) : Json();
  if (request.return_token_ids) {
    made["prompt_token_ids"] = answer.prompt_ids;
    made["token_ids"] = answer.ids;
  }
  const bool echoes = request.kind == ApiKind::kCompletion && request.ask.echo;
  if (first.wants_prompt_logprobs && !echoes) made["prompt_logprobs"] = first.prompt_json();
  return made;
}

Json usage(const ApiRequest& request, std::span<const Answer> answers) {
  int64_t completion = 0;
  for (const Answer& answer : answers) completion += static_cast<int64_t>(answer.ids.size());
  return usage_json(request, completion);
}

}  // namespace

Result<Json> response_body(const ApiRequest& request, const ResponseHead& head,
                           std::span<const Answer> answers, const TextCodec& codec) {
  Json choices = Json::array();
  for (size_t i = 0; i < answers.size(); i++) {
    const Answer& first = answers[i - i % static_cast<size_t>(request.n)];
    Json choice = {{"index", i}};
    choice.update(TRY(choice_body(request, answers[i], first, codec)));
    choices.push_back(std::move(choice));
  }
  const bool chat = request.kind == ApiKind::kChat;
  return Json{{"id", head.id},
              {"object", chat ? "chat.completion" : "text_completion"},
              {"created", head.created_s},
              {"model", head.model},
              {"choices", std::move(choices)},
              {"usage", usage(request, answers)}};
}

Json usage_json(const ApiRequest& request, int64_t completion_tokens) {
  int64_t prompt = 0;
  for (const auto& ids : request.prompts) prompt += static_cast<int64_t>(ids.size());
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt + completion_tokens}};
}

std::string_view finish_reason(sched::FinishReason reason, bool calls) {
  return calls && reason == sched::FinishReason::kStop ? "tool_calls"
                                                       : sched::finish_reason_name(reason);
}

int64_t response_bytes(const ApiRequest& request, int64_t prompt_tokens, int64_t max_tokens) {
  // Of JSON values and the line that they become; measured on bodies with and without logprobs.
  constexpr int64_t kBody = 8192, kToken = 64, kEntry = 640;
  const auto entries = [](const std::optional<int64_t>& top) {
    return top ? kEntry * (*top + 1) : 0;
  };
  const sampling::SamplingParams& params = request.ask.params;
  const int64_t answer = max_tokens * (kToken + entries(params.logprobs));
  // A stream that its client does not read waits piece by piece.
  constexpr int64_t kPiece = 256, kPieceEntry = 16;
  const int64_t pieces = kPiece + kPieceEntry * params.logprobs.value_or(0);
  const int64_t waiting = request.stream.wanted ? max_tokens * pieces : 0;
  const int64_t prompt = prompt_tokens * (kToken + entries(params.prompt_logprobs));
  // Values twice, and texts of events.
  constexpr int64_t kEchoed = 20;
  const int64_t echoed = request.echoed.is_null() ? 0 : kEchoed * std::ssize(request.echoed.dump());
  return kBody + echoed + prompt +
         request.n * (answer + waiting + kBody + (request.ask.echo ? prompt : 0));
}

std::string random_id(std::string_view prefix) {
  std::string made(prefix);
  for (int word = 0; word < 2; word++) made += fmt::format("{:016x}", random_u64());
  return made;
}

}  // namespace strata::frontend
