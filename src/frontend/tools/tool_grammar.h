// The grammar of an answer that must be a call: thoughts where the model has them, then calls in
// its family's spelling with arguments that each function's schema allows. Between the tools of a
// body and the text layer that compiles.
#pragma once

#include "base/status.h"
#include "frontend/text_codec.h"
#include "frontend/tools/answer_parser.h"
#include "frontend/tools/tool_request.h"
#include "text/guide.h"

namespace strata::frontend {

/// Of one or, where `ask` and the family allow it, more calls of `ask.must`. `format.tools` is not
/// null. kUnsupported where the family cannot write such arguments, else the reason of
/// TextCodec::compile; both name the tool.
Result<text::Grammar> call_grammar(const ToolAsk& ask, const AnswerFormat& format,
                                   const TextCodec& codec);

}  // namespace strata::frontend
