// The conversation of a Messages body as a chat's messages: blocks of content become parts, calls,
// results and thoughts where a chat has them. What they may be together is chat_messages.h's.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

/// "messages" of a chat from `system` and `messages`. Neighbours of one role become one.
/// kInvalidData naming the block; kUnsupported for images and whatever else is not text. `ignored`
/// gets fields that a chat has no place for.
Result<Json> read_turns(const Json& body, std::vector<std::string>& ignored);

}  // namespace strata::frontend
