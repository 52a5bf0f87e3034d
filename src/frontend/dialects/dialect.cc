// The rows.
#include "frontend/dialects/dialect.h"

#include <utility>

#include "frontend/messages/message_error.h"
#include "frontend/messages/message_request.h"
#include "frontend/messages/message_response.h"
#include "frontend/messages/message_stream.h"
#include "frontend/openai_stream.h"
#include "frontend/responses/responses_output.h"
#include "frontend/responses/responses_request.h"
#include "frontend/responses/responses_stream.h"

namespace strata::frontend {
namespace {

template <ApiKind kind>
Result<ApiRequest> read_openai(const Json& body, const ServedModel& model) {
  return read_api_request(kind, body, model);
}

template <class Writer>
std::unique_ptr<StreamWriter> make_stream(const ApiRequest& request, ResponseHead head,
                                          const TextCodec& codec) {
  return std::make_unique<Writer>(request, std::move(head), codec);
}

Status as_it_is(Status status) { return status; }

constexpr Dialect kChat = {.id_prefix = "chatcmpl-",
                           .read = read_openai<ApiKind::kChat>,
                           .whole = response_body,
                           .stream = make_stream<OpenAiStream>,
                           .in_its_words = as_it_is};
constexpr Dialect kCompletions = {.id_prefix = "cmpl-",
                                  .read = read_openai<ApiKind::kCompletion>,
                                  .whole = response_body,
                                  .stream = make_stream<OpenAiStream>,
                                  .in_its_words = as_it_is};
constexpr Dialect kMessages = {.id_prefix = "msg_",
                               .read = read_message_request,
                               .whole = message_body,
                               .stream = make_stream<MessageStream>,
                               .in_its_words = in_message_words};
constexpr Dialect kResponses = {.id_prefix = "resp_",
                                .read = read_responses_request,
                                .whole = responses_body,
                                .stream = make_stream<ResponsesStream>,
                                .in_its_words = in_responses_words};

}  // namespace

const Dialect& chat_dialect() { return kChat; }
const Dialect& completions_dialect() { return kCompletions; }
const Dialect& messages_dialect() { return kMessages; }
const Dialect& responses_dialect() { return kResponses; }

}  // namespace strata::frontend
