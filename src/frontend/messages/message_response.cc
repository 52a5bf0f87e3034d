// One parser over the whole text, then its blocks.
#include "frontend/messages/message_response.h"

#include "frontend/messages/message_blocks.h"
#include "frontend/tools/answer_parser.h"

namespace strata::frontend {

Result<Json> message_body(const ApiRequest& request, const ResponseHead& head,
                          std::span<const Answer> answers, const TextCodec&) {
  const Answer& answer = answers.front();
  AnswerParser parser(request.format);
  Json made = message_head(request, head, std::ssize(answer.ids));
  made["content"] = message_blocks(parser.feed(answer.text, true));
  made.update(message_end(
      request, {.reason = *answer.finished, .stop = answer.stop, .calls = parser.has_calls()}));
  return made;
}

}  // namespace strata::frontend
