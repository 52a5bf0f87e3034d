// An answer's text told apart, piece by piece: first thoughts, then what is said and called. What
// streams and whole answers share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/tools/deltas.h"
#include "frontend/tools/reasoning.h"
#include "frontend/tools/tool_formats.h"

namespace strata::frontend {

/// What to look for in an answer. Rows of tables: they live as long as the program.
struct AnswerFormat {
  const ReasoningFormat* reasoning = nullptr;  // null: thoughts are not told apart
  bool reasoning_open = false;                 // the prompt has opened them
  const ToolFormat* tools = nullptr;           // null: there are no calls
  bool parallel_calls = true;

  bool plain() const { return reasoning == nullptr && tools == nullptr; }
};

class AnswerParser {
 public:
  explicit AnswerParser(const AnswerFormat& format);

  /// The next part of the text, cut anywhere; `last`: there is no more.
  std::vector<Delta> feed(std::string_view text, bool last);
  bool has_calls() const { return deltas_.calls() > 0; }

 private:
  void say(std::string_view text, bool last);

  Deltas deltas_;
  std::optional<ReasoningParser> reasoning_;
  std::unique_ptr<ToolParser> tools_;
  std::string cut_;  // the beginning of a character
};

}  // namespace strata::frontend
