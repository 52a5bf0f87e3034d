// Whole characters in, so that no delta holds a part of one.
#include "frontend/tools/answer_parser.h"

#include <algorithm>
#include <utility>

namespace strata::frontend {
namespace {

// Bytes at the end that may be the beginning of a character.
size_t cut_bytes(std::string_view text) {
  constexpr size_t kMost = 3;
  for (size_t bytes = 1; bytes <= std::min(kMost, text.size()); bytes++) {
    const auto first = static_cast<unsigned char>(text[text.size() - bytes]);
    if ((first & 0xC0) == 0x80) continue;
    const size_t whole = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    return whole > bytes ? bytes : 0;
  }
  return 0;
}

}  // namespace

AnswerParser::AnswerParser(const AnswerFormat& format)
    : deltas_(format.tools != nullptr && format.tools->short_ids, format.parallel_calls) {
  if (format.reasoning != nullptr) reasoning_.emplace(*format.reasoning, format.reasoning_open);
  if (format.tools != nullptr) tools_ = format.tools->make_parser();
}

std::vector<Delta> AnswerParser::feed(std::string_view text, bool last) {
  std::string whole = std::exchange(cut_, {});
  whole += text;
  const size_t cut = last ? 0 : cut_bytes(whole);
  cut_ = whole.substr(whole.size() - cut);
  whole.erase(whole.size() - cut);
  if (reasoning_) {
    whole = reasoning_->feed(whole, deltas_);
    if (last) whole += reasoning_->finish(deltas_);
  }
  say(whole, last);
  return deltas_.take();
}

void AnswerParser::say(std::string_view text, bool last) {
  if (!tools_) return deltas_.content(text);
  tools_->feed(text, deltas_);
  if (last) tools_->finish(deltas_);
}

}  // namespace strata::frontend
