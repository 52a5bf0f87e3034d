// One chunk for each piece that says something. A stream makes one for every token, so what all of
// its chunks share is made once, as text, and the rest is put in between.
#include "frontend/openai_stream.h"

#include <algorithm>
#include <utility>

#include "frontend/api_error.h"

namespace strata::frontend {
namespace {

constexpr std::string_view kEndMark = "data: [DONE]\n\n";
constexpr std::string_view kNoChoice = "]}";  // how an envelope ends
constexpr std::string_view kNothing = "{}";
constexpr std::string_view kEmpty = "\"\"";
constexpr std::string_view kNull = "null";
constexpr size_t kMostUsage = 128;  // bytes of what stands behind the choice

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// As dumped() has it, faster where nothing is escaped.
std::string json_string(std::string_view text) {
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
  if (!std::ranges::all_of(text, plain)) return dumped(Json(text));
  std::string made;
  made.reserve(text.size() + 2);
  return made.append("\"").append(text).append("\"");
}

std::string delta_text(const Delta& delta) {
  if (delta.kind == DeltaKind::kContent) return "{\"content\":" + json_string(delta.text) + "}";
  if (delta.kind == DeltaKind::kReasoning) {
    return "{\"reasoning_content\":" + json_string(delta.text) + "}";
  }
  Json call = {{"index", delta.call}};
  if (delta.kind == DeltaKind::kCall) {
    call["id"] = delta.id;
    call["type"] = "function";
    call["function"] = {{"name", delta.text}, {"arguments", ""}};
  } else {
    call["function"] = {{"arguments", delta.text}};
  }
  return dumped(Json{{"tool_calls", Json::array({std::move(call)})}});
}

}  // namespace

std::string sse_event(const Json& data) { return "data: " + dumped(data) + "\n\n"; }

std::string named_sse_event(std::string_view name, const Json& data) {
  return "event: " + std::string(name) + "\n" + sse_event(data);
}

OpenAiStream::OpenAiStream(const ApiRequest& request, ResponseHead head, const TextCodec& codec)
    : request_(request),
      head_(std::move(head)),
      codec_(codec),
      logprobs_(request.prompts.size() * static_cast<size_t>(request.n)),
      before_("data: " + dumped(envelope())) {
  before_.resize(before_.size() - kNoChoice.size());
  if (request_.kind != ApiKind::kChat) return;
  for (size_t answer = 0; answer < logprobs_.size(); answer++) {
    parsers_.emplace_back(request_.format);
  }
}

Result<std::string> OpenAiStream::start() {
  std::string text;
  const bool chat = request_.kind == ApiKind::kChat;
  if (!chat && !request_.ask.echo && !request_.return_token_ids) return text;
  for (size_t answer = 0; answer < logprobs_.size(); answer++) {
    const auto& prompt = request_.prompts[answer / static_cast<size_t>(request_.n)];
    Json choice = {{"index", answer}};
    if (chat) {
      choice["delta"] = {{"role", "assistant"}, {"content", ""}};
    } else {
      choice["text"] = request_.ask.echo ? TRY(codec_.decode(prompt)) : "";
    }
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = nullptr;
    if (request_.return_token_ids) choice["prompt_token_ids"] = prompt;
    add_chunk(dumped(choice), text);
  }
  return text;
}

Result<std::string> OpenAiStream::logprobs_of(const StreamPiece& piece) {
  if (!piece.logprobs) return std::string(kNull);
  if (request_.kind == ApiKind::kChat) {
    Json entry = TRY(chat_logprob_entry(*piece.logprobs, codec_));
    return dumped(Json{{"content", Json::array({std::move(entry)})}, {"refusal", nullptr}});
  }
  CompletionLogprobs& lists = logprobs_[static_cast<size_t>(piece.answer)];
  TRY(lists.add(*piece.logprobs, codec_));
  return dumped(take_lists(lists));
}

std::vector<std::string> OpenAiStream::deltas_of(const StreamPiece& piece) {
  AnswerParser& parser = parsers_[static_cast<size_t>(piece.answer)];
  std::vector<std::string> made;
  bool call = false;
  for (const Delta& delta : parser.feed(piece.text, piece.finished.has_value())) {
    made.push_back(delta_text(delta));
    call = delta.kind == DeltaKind::kCall || delta.kind == DeltaKind::kArguments;
  }
  // Clients take the event that ends an answer for one without a call.
  if (piece.finished && call) made.emplace_back(kNothing);
  return made;
}

Result<std::string> OpenAiStream::piece(const StreamPiece& piece) {
  generated_ += piece.token.has_value();
  const bool chat = request_.kind == ApiKind::kChat;
  const bool ids = request_.return_token_ids && piece.token;
  std::vector<std::string> said;
  if (chat) said = deltas_of(piece);
  if (!chat && !piece.text.empty()) said.push_back(json_string(piece.text));
  if (said.empty()) {
    if (!piece.finished && !piece.logprobs && !ids) return std::string();
    said.emplace_back(chat ? kNothing : kEmpty);
  }
  const std::string logprobs = TRY(logprobs_of(piece));
  std::string text, choice;
  for (size_t i = 0; i < said.size(); i++) {
    const bool first = i == 0, ends = piece.finished && i + 1 == said.size();
    choice = "{\"index\":" + std::to_string(piece.answer);
    choice.append(chat ? ",\"delta\":" : ",\"text\":").append(said[i]);
    choice.append(",\"logprobs\":").append(first ? logprobs : kNull);
    choice.append(",\"finish_reason\":").append(ends ? json_string(reason_of(piece)) : kNull);
    if (ends)
      choice.append(",\"stop_reason\":").append(piece.stop ? json_string(*piece.stop) : kNull);
    if (first && ids) choice.append(",\"token_ids\":[" + std::to_string(*piece.token) + "]");
    add_chunk(choice.append("}"), text);
  }
  return text;
}

std::string_view OpenAiStream::reason_of(const StreamPiece& piece) const {
  const bool calls =
      request_.kind == ApiKind::kChat && parsers_[static_cast<size_t>(piece.answer)].has_calls();
  return finish_reason(*piece.finished, calls);
}

std::string OpenAiStream::end() {
  std::string text;
  if (request_.stream.usage) {
    Json last = envelope();
    last["usage"] = usage_json(request_, generated_);
    text = sse_event(last);
  }
  return text + std::string(kEndMark);
}

std::string OpenAiStream::error(const Status& status) { return sse_event(error_body(status)); }

Json OpenAiStream::envelope() const {
  const bool chat = request_.kind == ApiKind::kChat;
  return {{"id", head_.id},
          {"object", chat ? "chat.completion.chunk" : "text_completion"},
          {"created", head_.created_s},
          {"model", head_.model},
          {"choices", Json::array()}};
}

void OpenAiStream::add_chunk(std::string_view choice, std::string& text) const {
  text.reserve(text.size() + before_.size() + choice.size() + kMostUsage);
  text.append(before_).append(choice).append("]");
  if (request_.stream.continuous_usage) {
    text.append(",\"usage\":").append(dumped(usage_json(request_, generated_)));
  } else if (request_.stream.usage) {
    text.append(",\"usage\":null");
  }
  text.append("}\n\n");
}

}  // namespace strata::frontend
