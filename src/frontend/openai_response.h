// Answers as the bodies of OpenAI's chat and completions API. Between the answers that completion.h
// collects and whoever sends or writes them; it knows no engine and no transport.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "frontend/answer.h"
#include "frontend/openai_request.h"
#include "frontend/text_codec.h"
#include "sched/types.h"

namespace strata::frontend {

/// What a body says besides its answers.
struct ResponseHead {
  std::string id;  // "chatcmpl-...", "cmpl-..."
  std::string model;
  int64_t created_s = 0;  // seconds since 1970
};

/// `answers`: those to the first prompt, then those to the second, ...: request.n for each. Fails
/// where the tokenizer cannot name a token of the logprobs.
Result<Json> response_body(const ApiRequest& request, const ResponseHead& head,
                           std::span<const Answer> answers, const TextCodec& codec);

/// The same for another API.
using BodyWriter = Result<Json> (*)(const ApiRequest& request, const ResponseHead& head,
                                    std::span<const Answer> answers, const TextCodec& codec);

/// prompt_tokens, completion_tokens, total_tokens.
Json usage_json(const ApiRequest& request, int64_t completion_tokens);

/// As OpenAI calls it; `calls`: the answer has calls of functions.
std::string_view finish_reason(sched::FinishReason reason, bool calls);

/// Most bytes that the answers and the body take while the body is made, one prompt's choices with
/// `max_tokens` each.
int64_t response_bytes(const ApiRequest& request, int64_t prompt_tokens, int64_t max_tokens);

/// `prefix` and 32 random hexadecimal digits.
std::string random_id(std::string_view prefix);

}  // namespace strata::frontend
