// One chunk for each piece that says something.
#include "frontend/openai_stream.h"

#include <utility>

#include "frontend/api_error.h"

namespace strata::frontend {
namespace {

constexpr std::string_view kEndMark = "data: [DONE]\n\n";

Json delta_json(const Delta& delta) {
  if (delta.kind == DeltaKind::kContent) return {{"content", delta.text}};
  if (delta.kind == DeltaKind::kReasoning) return {{"reasoning_content", delta.text}};
  Json call = {{"index", delta.call}};
  if (delta.kind == DeltaKind::kCall) {
    call["id"] = delta.id;
    call["type"] = "function";
    call["function"] = {{"name", delta.text}, {"arguments", ""}};
  } else {
    call["function"] = {{"arguments", delta.text}};
  }
  return {{"tool_calls", Json::array({std::move(call)})}};
}

}  // namespace

std::string sse_event(const Json& data) {
  return "data: " + data.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n\n";
}

std::string named_sse_event(std::string_view name, const Json& data) {
  return "event: " + std::string(name) + "\n" + sse_event(data);
}

OpenAiStream::OpenAiStream(const ApiRequest& request, ResponseHead head, const TextCodec& codec)
    : request_(request),
      head_(std::move(head)),
      codec_(codec),
      logprobs_(request.prompts.size() * static_cast<size_t>(request.n)) {
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
    text += chunk(Json::array({std::move(choice)}));
  }
  return text;
}

Result<Json> OpenAiStream::logprobs_of(const StreamPiece& piece) {
  if (!piece.logprobs) return Json();
  if (request_.kind == ApiKind::kChat) {
    Json entry = TRY(chat_logprob_entry(*piece.logprobs, codec_));
    return Json{{"content", Json::array({std::move(entry)})}, {"refusal", nullptr}};
  }
  CompletionLogprobs& lists = logprobs_[static_cast<size_t>(piece.answer)];
  TRY(lists.add(*piece.logprobs, codec_));
  return take_lists(lists);
}

std::vector<Json> OpenAiStream::deltas_of(const StreamPiece& piece) {
  AnswerParser& parser = parsers_[static_cast<size_t>(piece.answer)];
  std::vector<Json> made;
  bool call = false;
  for (const Delta& delta : parser.feed(piece.text, piece.finished.has_value())) {
    made.push_back(delta_json(delta));
    call = delta.kind == DeltaKind::kCall || delta.kind == DeltaKind::kArguments;
  }
  // Clients take the event that ends an answer for one without a call.
  if (piece.finished && call) made.push_back(Json::object());
  return made;
}

Result<std::string> OpenAiStream::piece(const StreamPiece& piece) {
  generated_ += piece.token.has_value();
  const bool chat = request_.kind == ApiKind::kChat;
  const bool ids = request_.return_token_ids && piece.token;
  std::vector<Json> said;
  if (chat) said = deltas_of(piece);
  if (!chat && !piece.text.empty()) said.emplace_back(piece.text);
  if (said.empty()) {
    if (!piece.finished && !piece.logprobs && !ids) return std::string();
    said.push_back(chat ? Json::object() : Json(""));
  }
  const Json logprobs = TRY(logprobs_of(piece));
  std::string text;
  for (size_t i = 0; i < said.size(); i++) {
    const bool first = i == 0, ends = piece.finished && i + 1 == said.size();
    Json choice = {{"index", piece.answer}, {chat ? "delta" : "text", std::move(said[i])}};
    choice["logprobs"] = first ? logprobs : Json();
    choice["finish_reason"] = ends ? Json(reason_of(piece)) : Json();
    if (ends) choice["stop_reason"] = piece.stop ? Json(*piece.stop) : Json();
    if (first && ids) choice["token_ids"] = {*piece.token};
    text += chunk(Json::array({std::move(choice)}));
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
    Json last = envelope(Json::array());
    last["usage"] = usage_json(request_, generated_);
    text = sse_event(last);
  }
  return text + std::string(kEndMark);
}

std::string OpenAiStream::error(const Status& status) { return sse_event(error_body(status)); }

Json OpenAiStream::envelope(Json choices) const {
  const bool chat = request_.kind == ApiKind::kChat;
  return {{"id", head_.id},
          {"object", chat ? "chat.completion.chunk" : "text_completion"},
          {"created", head_.created_s},
          {"model", head_.model},
          {"choices", std::move(choices)}};
}

std::string OpenAiStream::chunk(Json choices) const {
  Json made = envelope(std::move(choices));
  if (request_.stream.continuous_usage) {
    made["usage"] = usage_json(request_, generated_);
  } else if (request_.stream.usage) {
    made["usage"] = nullptr;
  }
  return sse_event(made);
}

}  // namespace strata::frontend
