// The APIs that a model is served by: how each one's bodies become requests and how answers go out.
// A row for each; requests are the same behind all of them (openai_request.h). Between routes,
// which name a row, and everything else of this folder.
#pragma once

#include <memory>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "frontend/completion.h"
#include "frontend/dialects/stream_writer.h"
#include "frontend/openai_request.h"
#include "frontend/openai_response.h"

namespace strata::frontend {

struct Dialect {
  std::string_view id_prefix;  // of its answers
  Result<ApiRequest> (*read)(const Json& body, const ServedModel& model);
  BodyWriter whole;
  /// `codec` must outlive the writer.
  std::unique_ptr<StreamWriter> (*stream)(const ApiRequest& request, ResponseHead head,
                                          const TextCodec& codec);
  /// A failure by the names that this API's fields have.
  Status (*in_its_words)(Status status);
};

const Dialect& chat_dialect();         // OpenAI's chat completions
const Dialect& completions_dialect();  // OpenAI's completions
const Dialect& messages_dialect();     // Anthropic's messages
const Dialect& responses_dialect();    // OpenAI's responses

}  // namespace strata::frontend
