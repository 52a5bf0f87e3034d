// A body of OpenAI's Responses API as a typed request: read as the chat that it amounts to. Nothing
// is kept from one request to the next. Where the field list of that API lives.
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "frontend/openai_request.h"

namespace strata::frontend {

/// Failures name the chat's fields: in_responses_words(). What the response repeats of its request
/// is in `echoed`.
Result<ApiRequest> read_responses_request(const Json& body, const ServedModel& model);

/// What is said of a chat's fields, said of the body's own.
Status in_responses_words(Status status);

}  // namespace strata::frontend
