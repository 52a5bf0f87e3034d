// What a chat's body says besides sampling: its messages, tools and template variables, as the
// prompt they make and as what to look for in the answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "frontend/text_codec.h"
#include "frontend/tools/answer_parser.h"
#include "frontend/tools/dialog.h"
#include "text/guide.h"

namespace strata::frontend {

struct ChatBody {
  std::vector<int32_t> ids = {};  // the prompt
  AnswerFormat format = {};
  std::vector<int32_t> shown_ids = {};      // special tokens that are marks of `format`
  std::optional<text::Grammar> calls = {};  // where the answer must be a call
  std::vector<std::string> ignored = {};    // variables that the template does not look at
};

/// kInvalidData naming the field; kUnsupported where the template takes no tools, or nobody knows
/// how the model writes calls.
Result<ChatBody> read_chat_body(const Json& body, const TextCodec& codec, const Dialog& dialog);

}  // namespace strata::frontend
