// Log-probabilities of tokens in the two shapes of OpenAI's API, token by token, so that a whole
// answer and a stream of it say the same. It chooses nothing and knows no request.
#pragma once

#include "base/json.h"
#include "base/status.h"
#include "frontend/text_codec.h"
#include "sampling/logprobs.h"

namespace strata::frontend {

/// {"token", "logprob", "bytes", "top_logprobs"} of a chat's answer. Fails where the tokenizer
/// cannot name a token.
Result<Json> chat_logprob_entry(const sampling::TokenLogprobs& of, const TextCodec& codec);

/// The four lists of a completion's logprobs as they grow.
struct CompletionLogprobs {
  Json tokens = Json::array();
  Json values = Json::array();
  Json tops = Json::array();
  Json offsets = Json::array();
  int64_t offset = 0;  // characters before the next token

  void add_text(const std::string& text);
  Result<void> add(const sampling::TokenLogprobs& of, const TextCodec& codec);
};

/// The lists as a body has them; new ones begin where they end.
Json take_lists(CompletionLogprobs& lists);

}  // namespace strata::frontend
