// Each state takes what it can of the input and says whether there is more to do.
#include "frontend/tools/json_calls.h"

#include <algorithm>
#include <utility>

namespace strata::frontend {

void JsonToolParser::feed(std::string_view text, Deltas& out) {
  input_ += text;
  while (step(out)) {
  }
}

void JsonToolParser::finish(Deltas& out) {
  ended_ = true;
  while (step(out)) {
  }
}

bool JsonToolParser::step(Deltas& out) {
  switch (state_) {
    case State::kStart:
      return at_start();
    case State::kText:
      return in_text(out);
    case State::kBefore:
      return before_object(out);
    case State::kObject:
      return in_object(out);
    default:
      return after_object();
  }
}

bool JsonToolParser::go(State state) {
  state_ = state;
  return true;
}

bool JsonToolParser::at_start() {
  const size_t blanks = leading_blanks(input_);
  if (blanks == input_.size()) return ended_ && go(State::kText);
  if (input_[blanks] != '{') return go(State::kText);
  raw_ = input_.substr(0, blanks);
  mark_ = blanks + 1;
  input_.erase(0, blanks);
  return go(State::kBefore);
}

bool JsonToolParser::in_text(Deltas& out) {
  const size_t found = input_.find(shape_.begin);
  if (found == std::string::npos) {
    const size_t certain = ended_ ? input_.size() : certain_bytes(input_, shape_.begin);
    out.content(std::string_view(input_).substr(0, certain));
    input_.erase(0, certain);
    return false;
  }
  const size_t shown = without_blanks(std::string_view(input_).substr(0, found));
  out.content(std::string_view(input_).substr(0, shown));
  raw_ = input_.substr(shown, found - shown + shape_.begin.size());
  mark_ = raw_.size();
  input_.erase(0, found + shape_.begin.size());
  return go(State::kBefore);
}

bool JsonToolParser::before_object(Deltas& out) {
  for (size_t at = 0; at < input_.size(); at++) {
    const char c = input_[at];
    const bool opens = shape_.list && !in_list_ && c == '[';
    if (opens || is_blank(c)) {
      in_list_ |= opens;
      raw_ += c;
      continue;
    }
    input_.erase(0, at);
    if (c != '{' || in_list_ != shape_.list) {
      release(out);
      return true;
    }
    reader_ = {};
    announced_ = false;
    return go(State::kObject);
  }
  input_.clear();
  if (!ended_ || raw_.empty()) return false;
  release(out);
  return true;
}

bool JsonToolParser::in_object(Deltas& out) {
  for (size_t at = 0; at < input_.size(); at++) {
    const JsonCallReader::Step step = reader_.put(input_[at]);
    if (step == JsonCallReader::Step::kFailed) return fails_at(at, out);
    raw_ += input_[at];
    if (step == JsonCallReader::Step::kMore) continue;
    input_.erase(0, at + 1);
    return ends(out);
  }
  input_.clear();
  if (reader_.announced()) announce(out);
  if (!ended_ || announced_) return false;
  release(out);
  return true;
}

// What follows is no part of the call; what was said of it stays said.
bool JsonToolParser::fails_at(size_t at, Deltas& out) {
  input_.erase(0, at);
  if (reader_.announced()) {
    announce(out);
    in_list_ = false;
    return go(State::kText);
  }
  release(out);
  return true;
}

bool JsonToolParser::ends(Deltas& out) {
  if (!reader_.has_arguments() && shape_.needs_arguments) {
    release(out);
    return true;
  }
  announce(out);
  if (!reader_.has_arguments()) out.arguments("{}");
  closed_ = false;
  return go(State::kAfter);
}

void JsonToolParser::announce(Deltas& out) {
  if (!std::exchange(announced_, true)) out.call(*reader_.name());
  raw_.clear();
  out.arguments(reader_.take_arguments());
}

// No call: the mark is content, and what follows it is looked at again.
void JsonToolParser::release(Deltas& out) {
  const size_t shown = std::min(mark_, raw_.size());
  out.content(std::string_view(raw_).substr(0, shown));
  input_.insert(0, raw_, shown);
  raw_.clear();
  in_list_ = false;
  state_ = State::kText;
}

bool JsonToolParser::after_object() {
  input_.erase(0, leading_blanks(input_));
  if (input_.empty()) return false;
  if (closed_) return go(State::kText);
  if (!shape_.end.empty() && may_become(input_, shape_.end)) {
    if (!ended_) return false;
    input_.clear();
    return false;
  }
  if (!shape_.end.empty() && input_.starts_with(shape_.end)) {
    input_.erase(0, shape_.end.size());
    return closed_ = true;
  }
  const char c = input_.front();
  if (in_list_ && c == ']') {
    input_.erase(0, 1);
    in_list_ = false;
    return closed_ = true;
  }
  const bool separated = in_list_ ? c == ',' : shape_.separator.contains(c);
  if (!separated && (c != '{' || shape_.list)) {
    in_list_ = false;
    return go(State::kText);
  }
  raw_ = separated ? std::string(1, c) : std::string();
  mark_ = 1;
  input_.erase(0, raw_.size());
  return go(State::kBefore);
}

}  // namespace strata::frontend
