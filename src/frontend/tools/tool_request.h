// The functions that a body offers to the model, and what it says of calling them: `tools`,
// `tool_choice`, `parallel_tool_calls`. Between a body's JSON and the template and the grammar that
// need them.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

struct ToolAsk {
  Json tools = {};             // for the template: definitions as OpenAI has them; null for none
  std::vector<size_t> must{};  // one of these must be called, by index; none: the model decides
  bool parallel = true;        // the answer may hold several calls
  bool named = false;          // `must` is one that was named
};

/// Definitions keep what else they hold; those without parameters get an empty object's schema.
/// kInvalidData naming the field, kUnsupported for other kinds of tools.
Result<ToolAsk> read_tools(const Json& body);

}  // namespace strata::frontend
