// Two shapes of choices, two shapes of logprobs, one usage.
#include "frontend/openai_response.h"

#include <fmt/core.h>

#include <algorithm>
#include <random>

#include "sched/serialize.h"
#include "text/utf8.h"

namespace strata::frontend {
namespace {

// What clients take for "never": JSON has no infinity.
constexpr double kLeastLogprob = -9999;

int64_t characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

Json logprob_value(const sampling::TokenLogprob& token) {
  return std::max<double>(token.logprob, kLeastLogprob);
}

// A token that is a part of a character has no text of its own, hence no bytes that we could name.
Json text_bytes(const std::string& text) {
  if (text.contains(text::kReplacement)) return {};
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

Result<Json> chat_logprob(const sampling::TokenLogprob& token, const TextCodec& codec) {
  const std::string text = TRY(codec.token_text(token.id));
  return Json{{"token", text}, {"logprob", logprob_value(token)}, {"bytes", text_bytes(text)}};
}

Result<Json> chat_logprobs(const Answer& answer, const TextCodec& codec) {
  if (!answer.wants_logprobs) return Json();
  Json content = Json::array();
  for (const sampling::TokenLogprobs& of : answer.logprobs) {
    Json entry = TRY(chat_logprob(of.chosen, codec));
    Json& top = entry["top_logprobs"] = Json::array();
    for (const sampling::TokenLogprob& token : of.top) {
      top.push_back(TRY(chat_logprob(token, codec)));
    }
    content.push_back(std::move(entry));
  }
  return Json{{"content", std::move(content)}, {"refusal", nullptr}};
}

// The four lists of a completion's logprobs as they grow.
struct CompletionLogprobs {
  Json tokens = Json::array();
  Json values = Json::array();
  Json tops = Json::array();
  Json offsets = Json::array();
  int64_t offset = 0;  // characters before the next token

  void add_text(const std::string& text) {
    tokens.push_back(text);
    offsets.push_back(offset);
    offset += characters(text);
  }
};

Result<void> add_token(CompletionLogprobs& lists, const sampling::TokenLogprobs& of,
                       const TextCodec& codec) {
  const std::string chosen = TRY(codec.token_text(of.chosen.id));
  lists.add_text(chosen);
  lists.values.push_back(logprob_value(of.chosen));
  // The chosen token first: another one with the same text must not hide it.
  Json top = {{chosen, logprob_value(of.chosen)}};
  for (const sampling::TokenLogprob& token : of.top) {
    const std::string text = TRY(codec.token_text(token.id));
    if (!top.contains(text)) top[text] = logprob_value(token);
  }
  lists.tops.push_back(std::move(top));
  return {};
}

Result<Json> completion_logprobs(const ApiRequest& request, const Answer& answer,
                                 const Answer& first, const TextCodec& codec) {
  if (!answer.wants_logprobs) return Json();
  CompletionLogprobs lists;
  if (request.ask.echo && !answer.prompt_ids.empty()) {
    lists.add_text(TRY(codec.token_text(answer.prompt_ids.front())));
    lists.values.push_back(nullptr);  // nothing stands before the first token
    lists.tops.push_back(nullptr);
    for (const auto& of : first.prompt_logprobs) TRY(add_token(lists, of, codec));
  }
  for (const auto& of : answer.logprobs) TRY(add_token(lists, of, codec));
  return Json{{"tokens", std::move(lists.tokens)},
              {"token_logprobs", std::move(lists.values)},
              {"top_logprobs", std::move(lists.tops)},
              {"text_offset", std::move(lists.offsets)}};
}

Result<Json> choice_body(const ApiRequest& request, const Answer& answer, const Answer& first,
                         const TextCodec& codec) {
  const Json text = answer.has_text ? Json(answer.text) : Json();
  Json made;
  if (request.kind == ApiKind::kChat) {
    made["message"] = {{"role", "assistant"}, {"content", text}, {"refusal", nullptr}};
    made["logprobs"] = TRY(chat_logprobs(answer, codec));
  } else {
    made["text"] = text;
    made["logprobs"] = TRY(completion_logprobs(request, answer, first, codec));
  }
  made["finish_reason"] = sched::finish_reason_name(*answer.finished);
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
  int64_t prompt = 0, completion = 0;
  for (const auto& ids : request.prompts) prompt += static_cast<int64_t>(ids.size());
  for (const Answer& answer : answers) completion += static_cast<int64_t>(answer.ids.size());
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion},
          {"total_tokens", prompt + completion}};
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

int64_t response_bytes(const ApiRequest& request, int64_t prompt_tokens, int64_t max_tokens) {
  // Of JSON values and the line that they become; measured on bodies with and without logprobs.
  constexpr int64_t kBody = 8192, kToken = 64, kEntry = 640;
  const auto entries = [](const std::optional<int64_t>& top) {
    return top ? kEntry * (*top + 1) : 0;
  };
  const sampling::SamplingParams& params = request.ask.params;
  const int64_t answer = max_tokens * (kToken + entries(params.logprobs));
  const int64_t prompt = prompt_tokens * (kToken + entries(params.prompt_logprobs));
  return kBody + prompt + request.n * (answer + kBody + (request.ask.echo ? prompt : 0));
}

std::string random_id(std::string_view prefix) {
  std::random_device device;
  std::string made(prefix);
  for (int word = 0; word < 4; word++) made += fmt::format("{:08x}", device());
  return made;
}

}  // namespace strata::frontend
