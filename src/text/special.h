// The two ways a prompt becomes ids, so that no caller picks the flags: a rendered chat and plain
// text. Between chat_template and tokenizer. A template writes its own BOS: adding another one is
// the classic silent bug.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/tokenizer.h"

namespace strata::text {

/// Ids of what a chat template rendered: its control tokens are parsed and nothing is added, as
/// `apply_chat_template(tokenize=True)` of Transformers does; what hide_special_tokens() has marked
/// stays text. One BOS exactly if the template wrote one.
Result<std::vector<int32_t>> encode_chat(const Tokenizer& tokenizer, std::string_view rendered);

/// Ids of a raw prompt: the tokenizer's own BOS or EOS is added; control tokens in the text stay
/// plain characters unless `parse_special`.
Result<std::vector<int32_t>> encode_prompt(const Tokenizer& tokenizer, std::string_view prompt,
                                           bool parse_special = false);

}  // namespace strata::text
