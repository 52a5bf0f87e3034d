// The one interface of the parsers that find calls of functions in an answer's text, and what they
// share. Fed as the text comes, cut anywhere between characters; what is made of it does not depend
// on the cuts. What is no call after all comes out as content.
#pragma once

#include <cstddef>
#include <string_view>

#include "frontend/tools/deltas.h"

namespace strata::frontend {

class ToolParser {
 public:
  ToolParser() = default;
  ToolParser(const ToolParser&) = delete;
  ToolParser& operator=(const ToolParser&) = delete;
  virtual ~ToolParser() = default;

  virtual void feed(std::string_view text, Deltas& out) = 0;
  /// There is no more: what was held back goes out.
  virtual void finish(Deltas& out) = 0;
};

constexpr bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// How many bytes at the start of `text` are blanks.
size_t leading_blanks(std::string_view text);
/// How many bytes of `text` are left without the blanks at its end.
size_t without_blanks(std::string_view text);
/// How many bytes of `text` are certain to be no part of `marker` and of blanks before it, where
/// `text` does not hold the marker.
size_t certain_bytes(std::string_view text, std::string_view marker);
/// `text` is a part of `marker` that more text may complete.
bool may_become(std::string_view text, std::string_view marker);

}  // namespace strata::frontend
