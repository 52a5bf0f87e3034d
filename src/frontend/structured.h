// What an answer must look like, as clients say it: vLLM's `structured_outputs`, OpenAI's
// `response_format`. Between a body's JSON and a compiled grammar; what grammars may be is the text
// layer's business.
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "frontend/text_codec.h"
#include "text/guide.h"

namespace strata::frontend {

inline constexpr std::string_view kStructuredOutputs = "structured_outputs";
inline constexpr std::string_view kResponseFormat = "response_format";

/// Nothing where the fields ask for plain text. kInvalidData naming the member that is wrong; the
/// reason of GuideFactory::compile where a grammar cannot be obeyed; kInvalidArgument where both
/// fields ask for something; kUnsupported without a tokenizer.
Result<std::optional<text::Grammar>> read_grammar(const Json& fields, const TextCodec& codec);

}  // namespace strata::frontend
