// Blanks, a tag, thoughts, a tag, blanks, and the answer.
#include "frontend/tools/reasoning.h"

#include <utility>

#include "frontend/tools/tool_parser.h"

namespace strata::frontend {
namespace {

constexpr ReasoningFormat kFormats[] = {
    {"think", "<think>", "</think>"},
    {"mistral", "[THINK]", "[/THINK]"},
    {"seed-oss", "<seed:think>", "</seed:think>"},
};

}  // namespace

std::span<const ReasoningFormat> reasoning_formats() { return kFormats; }

bool opens_reasoning(const ReasoningFormat& format, std::string_view rendered) {
  return rendered.substr(0, without_blanks(rendered)).ends_with(format.open);
}

std::string ReasoningParser::feed(std::string_view text, Deltas& out) {
  input_ += text;
  return advance(out);
}

std::string ReasoningParser::finish(Deltas& out) {
  ended_ = true;
  return advance(out);
}

std::string ReasoningParser::advance(Deltas& out) {
  if (state_ == State::kStart && !at_start()) return {};
  if (state_ == State::kInside && !inside(out)) return {};
  if (state_ == State::kBehind) {
    input_.erase(0, leading_blanks(input_));
    if (!input_.empty()) state_ = State::kText;
  }
  return std::exchange(input_, {});
}

// False where more text must come first.
bool ReasoningParser::at_start() {
  const std::string_view said = std::string_view(input_).substr(leading_blanks(input_));
  if (!ended_ && may_become(said, format_.open)) return false;
  if (said.starts_with(format_.open)) {
    input_.erase(0, input_.size() - said.size() + format_.open.size());
    state_ = State::kInside;
  } else {
    state_ = State::kText;
  }
  return true;
}

bool ReasoningParser::inside(Deltas& out) {
  if (!begun_) input_.erase(0, leading_blanks(input_));
  const size_t found = input_.find(format_.close);
  const bool closes = found != std::string::npos;
  size_t shown = closes ? without_blanks(std::string_view(input_).substr(0, found)) : 0;
  if (!closes) shown = ended_ ? input_.size() : certain_bytes(input_, format_.close);
  out.reasoning(std::string_view(input_).substr(0, shown));
  begun_ |= shown > 0;
  input_.erase(0, closes ? found + format_.close.size() : shown);
  if (closes) state_ = State::kBehind;
  return closes;
}

}  // namespace strata::frontend
