// An answer as the body of Anthropic's Messages API. Between the answers that completion.h collects
// and whoever sends them; message_stream.h says the same in pieces.
#pragma once

#include <span>

#include "base/json.h"
#include "base/status.h"
#include "frontend/answer.h"
#include "frontend/openai_response.h"

namespace strata::frontend {

/// `answers`: the one that the request asked for.
Result<Json> message_body(const ApiRequest& request, const ResponseHead& head,
                          std::span<const Answer> answers, const TextCodec& codec);

}  // namespace strata::frontend
