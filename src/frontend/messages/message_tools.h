// `tools` and `tool_choice` of a Messages body as a chat's. What tools may be, and how they are
// called, is ../tools'.
#pragma once

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

/// Writes tools, tool_choice and parallel_tool_calls where the body says something of them.
/// kUnsupported for tools that Anthropic's servers bring along.
Result<void> read_message_tools(const Json& body, Json& chat);

}  // namespace strata::frontend
