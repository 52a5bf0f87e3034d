// Thoughts and messages are items with one part; calls are items without.
#include "frontend/responses/responses_stream.h"

#include <utility>

#include "frontend/openai_stream.h"
#include "frontend/responses/responses_request.h"

namespace strata::frontend {
namespace {

// What the events of an item's text are called.
std::string_view text_event(const Json& item) {
  if (item["type"] == "function_call") return "function_call_arguments";
  return item["type"] == "reasoning" ? "reasoning_text" : "output_text";
}

}  // namespace

ResponsesStream::ResponsesStream(const ApiRequest& request, ResponseHead head, const TextCodec&)
    : request_(request), head_(std::move(head)), parser_(request.format), output_(head_.id) {}

std::string ResponsesStream::event(std::string_view name, const Json& members) {
  const std::string type = "response." + std::string(name);
  Json data = {{"type", type}, {"sequence_number", events_++}};
  data.update(members);
  return named_sse_event(type, data);
}

Result<std::string> ResponsesStream::start() {
  const std::string created = event("created", {{"response", response("in_progress")}});
  return created + event("in_progress", {{"response", response("in_progress")}});
}

Result<std::string> ResponsesStream::piece(const StreamPiece& piece) {
  generated_ += piece.token.has_value();
  if (piece.finished) reason_ = *piece.finished;
  std::string text;
  for (const Delta& delta : parser_.feed(piece.text, piece.finished.has_value())) {
    if (begins_part(last_, delta)) {
      text += close_item(false);
      text += open_item(delta);
    }
    last_ = delta.kind;
    text += say(delta);
  }
  return text;
}

// Of the last item's text.
Json ResponsesStream::place() const {
  const Json& item = output_.items().back();
  Json made = {{"item_id", item["id"]}, {"output_index", output_.last_index()}};
  if (item.contains("content")) made["content_index"] = 0;
  return made;
}

std::string ResponsesStream::open_item(const Delta& delta) {
  output_.begin(delta);
  Json item = output_.last();
  const bool part = item.contains("content");
  if (part) item["content"] = Json::array();
  std::string text = event("output_item.added",
                           {{"output_index", output_.last_index()}, {"item", std::move(item)}});
  if (!part) return text;
  Json added = place();
  added["part"] = output_.last()["content"][0];
  return text + event("content_part.added", added);
}

std::string ResponsesStream::say(const Delta& delta) {
  if (delta.kind == DeltaKind::kCall) return {};
  output_.extend(delta);
  Json said = place();
  said["delta"] = delta.text;
  if (delta.kind == DeltaKind::kContent) said["logprobs"] = Json::array();
  return event(std::string(text_event(output_.last())) + ".delta", said);
}

std::string ResponsesStream::close_item(bool cut) {
  if (!last_) return {};
  last_.reset();
  output_.close(cut);
  const Json& item = output_.last();
  const bool call = item["type"] == "function_call";
  Json done = place();
  if (call) {
    done["name"] = item["name"];
    done["arguments"] = item["arguments"];
  } else {
    done["text"] = item["content"][0]["text"];
    if (item["type"] == "message") done["logprobs"] = Json::array();
  }
  std::string text = event(std::string(text_event(item)) + ".done", done);
  if (!call) {
    Json part = place();
    part["part"] = item["content"][0];
    text += event("content_part.done", part);
  }
  return text + event("output_item.done", {{"output_index", output_.last_index()}, {"item", item}});
}

Json ResponsesStream::response(std::string_view status) const {
  return response_object(request_, head_, {.status = status, .generated = generated_},
                         output_.items());
}

std::string ResponsesStream::end() {
  const std::string_view status = response_status(reason_);
  const std::string text = close_item(status == "incomplete");
  return text + event(status, {{"response", response(status)}});
}

std::string ResponsesStream::error(const Status& status) {
  const std::string text = close_item(true);
  Json failed = response("failed");
  const bool busy = status.code == Code::kBusy;
  failed["error"] = {{"code", busy ? "rate_limit_exceeded" : "server_error"},
                     {"message", in_responses_words(status).message()}};
  return text + event("failed", {{"response", std::move(failed)}});
}

}  // namespace strata::frontend
