// The input of a Responses body as a chat's messages: items become turns, and what an earlier
// answer had as several items becomes the one turn that it was. What messages may be is
// chat_messages.h's.
#pragma once

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

/// "messages" of a chat from `instructions` and `input`. kInvalidData naming the item; kUnsupported
/// for what is not text, and for items of tools that only OpenAI's servers run.
Result<Json> read_input(const Json& body);

}  // namespace strata::frontend
