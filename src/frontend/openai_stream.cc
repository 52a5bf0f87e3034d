// One chunk for each piece that says something.
#include "frontend/openai_stream.h"

#include <utility>

#include "frontend/api_error.h"
#include "sched/serialize.h"

namespace strata::frontend {
namespace {

constexpr std::string_view kEndMark = "data: [DONE]\n\n";

}  // namespace

std::string sse_event(const Json& data) {
  return "data: " + data.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n\n";
}

StreamWriter::StreamWriter(const ApiRequest& request, ResponseHead head, const TextCodec& codec)
    : request_(request),
      head_(std::move(head)),
      codec_(codec),
      logprobs_(request.prompts.size() * static_cast<size_t>(request.n)) {}

Result<std::string> StreamWriter::start() {
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

Result<Json> StreamWriter::logprobs_of(const StreamPiece& piece) {
  if (!piece.logprobs) return Json();
  if (request_.kind == ApiKind::kChat) {
    Json content = Json::array({TRY(chat_logprob_entry(*piece.logprobs, codec_))});
    return Json{{"content", std::move(content)}, {"refusal", nullptr}};
  }
  CompletionLogprobs& lists = logprobs_[static_cast<size_t>(piece.answer)];
  TRY(lists.add(*piece.logprobs, codec_));
  return take_lists(lists);
}

Result<std::string> StreamWriter::piece(const StreamPiece& piece) {
  generated_ += piece.token.has_value();
  const bool ids = request_.return_token_ids && piece.token;
  if (piece.text.empty() && !piece.finished && !piece.logprobs && !ids) return std::string();
  Json choice = {{"index", piece.answer}};
  if (request_.kind == ApiKind::kCompletion) {
    choice["text"] = piece.text;
  } else {
    choice["delta"] = piece.text.empty() ? Json::object() : Json{{"content", piece.text}};
  }
  choice["logprobs"] = TRY(logprobs_of(piece));
  choice["finish_reason"] =
      piece.finished ? Json(sched::finish_reason_name(*piece.finished)) : Json();
  if (piece.finished) choice["stop_reason"] = piece.stop ? Json(*piece.stop) : Json();
  if (ids) choice["token_ids"] = {*piece.token};
  return chunk(Json::array({std::move(choice)}));
}

std::string StreamWriter::end() const {
  std::string text;
  if (request_.stream.usage) {
    Json last = envelope(Json::array());
    last["usage"] = usage_json(request_, generated_);
    text = sse_event(last);
  }
  return text + std::string(kEndMark);
}

std::string StreamWriter::error(const Status& status) { return sse_event(error_body(status)); }

Json StreamWriter::envelope(Json choices) const {
  const bool chat = request_.kind == ApiKind::kChat;
  return {{"id", head_.id},
          {"object", chat ? "chat.completion.chunk" : "text_completion"},
          {"created", head_.created_s},
          {"model", head_.model},
          {"choices", std::move(choices)}};
}

std::string StreamWriter::chunk(Json choices) const {
  Json made = envelope(std::move(choices));
  if (request_.stream.continuous_usage) {
    made["usage"] = usage_json(request_, generated_);
  } else if (request_.stream.usage) {
    made["usage"] = nullptr;
  }
  return sse_event(made);
}

}  // namespace strata::frontend
