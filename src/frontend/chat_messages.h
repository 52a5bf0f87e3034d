// The messages of a chat body, checked and in the one form that chat templates read: contents as
// text, arguments of tool calls as objects. Rendering them is text/chat_template.h's.
#pragma once

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

/// `messages`: of a chat body. Parts of text are joined; "developer" is "system"; other fields of a
/// message stay. kInvalidData naming the message, kUnsupported for parts that are not text.
Result<Json> read_messages(const Json& messages);

}  // namespace strata::frontend
