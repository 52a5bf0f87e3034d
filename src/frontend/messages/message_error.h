// Failures as Anthropic's error object, and by the names that fields of its Messages API have.
// Between Status, or a refusal by HTTP itself, and what a client hears.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

/// {"type": "error", "error": {"type", "message"}}; the type is the HTTP status in words.
Json message_error(int http_status, std::string_view message);

/// A request is read as a chat: what is said of a chat's fields is said of the body's own.
Status in_message_words(Status status);

}  // namespace strata::frontend
