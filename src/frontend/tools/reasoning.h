// What a model thinks before it answers, between tags: told apart from what it says. A row of the
// table for each family. Between an answer's text and the parsers of calls.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "frontend/tools/deltas.h"

namespace strata::frontend {

struct ReasoningFormat {
  std::string_view name;
  std::string_view open;
  std::string_view close;
};

std::span<const ReasoningFormat> reasoning_formats();

/// A rendered chat ends within thoughts: its template has opened them for the model.
bool opens_reasoning(const ReasoningFormat& format, std::string_view rendered);

/// Thoughts stand at the start of an answer or nowhere; blanks around them are no part of anything.
class ReasoningParser {
 public:
  /// `open`: the prompt has opened the thoughts.
  ReasoningParser(const ReasoningFormat& format, bool open)
      : format_(format), state_(open ? State::kInside : State::kStart) {}

  /// Writes thoughts; what is returned comes after them.
  std::string feed(std::string_view text, Deltas& out);
  /// There is no more: what was held back.
  std::string finish(Deltas& out);

 private:
  enum class State : uint8_t { kStart, kInside, kBehind, kText };

  std::string advance(Deltas& out);
  bool at_start();
  bool inside(Deltas& out);

  const ReasoningFormat format_;
  State state_;
  bool ended_ = false;
  bool begun_ = false;  // a thought was written
  std::string input_;   // not certain yet
};

}  // namespace strata::frontend
