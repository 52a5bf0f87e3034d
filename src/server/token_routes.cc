// Text to ids and back, as the served model's tokenizer has it; in the shapes of vLLM.
#include <limits>
#include <utility>

#include "frontend/messages/message_error.h"
#include "frontend/messages/message_request.h"
#include "frontend/tools/chat_body.h"
#include "server/api_routes.h"

namespace strata::server {
namespace {

Result<std::vector<int32_t>> ids_of(const Json& body, const frontend::ServedModel& model) {
  const frontend::TextCodec& codec = *model.codec;
  if (!body.contains("messages")) return codec.encode(TRY(get_string(body, "prompt")));
  return TRY(frontend::read_chat_body(body, codec, model.dialog)).ids;
}

}  // namespace

Result<Json> tokens_of(Exchange& exchange, const Served& served) {
  const Json body = TRY(read_json(exchange));
  const std::vector<int32_t> ids = TRY(ids_of(body, served.model));
  return Json{
      {"count", ids.size()}, {"max_model_len", served.model.max_model_len}, {"tokens", ids}};
}

Result<Json> text_of(Exchange& exchange, const Served& served) {
  const Json body = TRY(read_json(exchange));
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  std::vector<int32_t> ids;
  for (const int64_t id : TRY(get_int_array(body, "tokens", 0, kMost))) {
    ids.push_back(static_cast<int32_t>(id));
  }
  std::string prompt = TRY(served.model.codec->decode(ids));
  return Json{{"prompt", std::move(prompt)}};
}

// As Anthropic's API counts the tokens of a message.
Result<Json> message_tokens(Exchange& exchange, const Served& served) {
  const Json body = TRY(read_json(exchange));
  auto request = frontend::read_message_count(body, served.model);
  if (!request) return std::unexpected(frontend::in_message_words(std::move(request).error()));
  list_ignored(request->ignored, exchange);
  return Json{{"input_tokens", request->prompts.front().size()}};
}

asio::awaitable<void> answer_from_model(Service& service, Exchange& exchange,
                                        ModelQuestion question) {
  const auto& api = static_cast<const ApiService&>(service);
  const Served* served = api.served();
  Reply reply;
  if (served == nullptr) {
    reply = unavailable_reply(api, exchange.error_form());
  } else if (const auto body = question(exchange, *served)) {
    reply = json_reply(*body);
  } else {
    reply = status_reply(body.error(), exchange.error_form());
  }
  co_await exchange.reply(std::move(reply));
}

}  // namespace strata::server
