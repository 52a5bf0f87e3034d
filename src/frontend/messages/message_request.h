// A body of Anthropic's Messages API as a typed request: read as the chat that it amounts to, so
// that there is one way to render, to sample and to call. Where the field list of that API lives.
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "frontend/openai_request.h"

namespace strata::frontend {

/// Failures name the chat's fields: in_message_words() of message_error.h. More `max_tokens` than
/// the context leaves are cut to it, as in Anthropic's API.
Result<ApiRequest> read_message_request(const Json& body, const ServedModel& model);

/// The same for a body whose tokens are only counted.
Result<ApiRequest> read_message_count(const Json& body, const ServedModel& model);

}  // namespace strata::frontend
