// An event for each thing that is said, named twice as the API has it.
#include "frontend/messages/message_stream.h"

#include <utility>

#include "frontend/api_error.h"
#include "frontend/messages/message_error.h"
#include "frontend/openai_stream.h"

namespace strata::frontend {
namespace {

std::string event(const std::string& type, const Json& members = Json::object()) {
  Json data = {{"type", type}};
  data.update(members);
  return named_sse_event(type, data);
}

}  // namespace

MessageStream::MessageStream(const ApiRequest& request, ResponseHead head, const TextCodec&)
    : request_(request), head_(std::move(head)), parser_(request.format) {}

Result<std::string> MessageStream::start() {
  return event("message_start", {{"message", message_head(request_, head_, 0)}});
}

Result<std::string> MessageStream::piece(const StreamPiece& piece) {
  generated_ += piece.token.has_value();
  std::string text;
  for (const Delta& delta : parser_.feed(piece.text, piece.finished.has_value())) {
    text += say(delta);
  }
  if (piece.finished) {
    end_ = {.reason = *piece.finished, .stop = piece.stop, .calls = parser_.has_calls()};
  }
  return text;
}

std::string MessageStream::say(const Delta& delta) {
  std::string text;
  if (begins_part(last_, delta)) {
    text = close_block();
    text +=
        event("content_block_start", {{"index", block_}, {"content_block", empty_block(delta)}});
  }
  last_ = delta.kind;
  Json said = block_delta(delta);
  if (said.is_null()) return text;
  return text + event("content_block_delta", {{"index", block_}, {"delta", std::move(said)}});
}

std::string MessageStream::close_block() {
  if (!last_) return {};
  last_.reset();
  return event("content_block_stop", {{"index", block_++}});
}

std::string MessageStream::end() {
  return close_block() +
         event("message_delta", {{"delta", message_end(request_, end_)},
                                 {"usage",
                                  {{"input_tokens", request_.prompts.front().size()},
                                   {"output_tokens", generated_}}}}) +
         event("message_stop");
}

std::string MessageStream::error(const Status& status) {
  const Status said = in_message_words(status);
  return named_sse_event("error", message_error(http_status(said.code), said.message()));
}

std::string MessageStream::ping() { return event("ping"); }

}  // namespace strata::frontend
