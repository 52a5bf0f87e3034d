// Which parsers a model's answers go through: chosen by flags, or found in its chat template. What
// `serve` and `batch` share between their flags and the requests.
#pragma once

#include <optional>
#include <string>

#include "base/config_fields.h"
#include "base/status.h"
#include "frontend/text_codec.h"
#include "frontend/tools/answer_parser.h"

namespace strata::frontend {

/// As the flags of dialog_fields() say it: "auto", "none", or the name of a row.
struct DialogChoice {
  std::string tools = "auto";
  std::string reasoning = "auto";
};

FieldList dialog_fields();
DialogChoice dialog_choice(const FieldValues& values);

/// What was chosen, and why.
struct Dialog {
  const ToolFormat* tools = nullptr;
  const ReasoningFormat* reasoning = nullptr;
  std::string tools_reason = "no model yet";
  std::string reasoning_reason = {};
  bool raw_tools = false;  // "none" was asked for: tools are shown to the model, calls are text
};

Dialog resolve_dialog(const DialogChoice& choice, const TextCodec& codec);

/// One line for each.
void log_dialog(const Dialog& dialog);

}  // namespace strata::frontend
