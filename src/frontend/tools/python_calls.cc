// Each state takes what it can of the input and says whether there is more to do.
#include "frontend/tools/python_calls.h"

#include <utility>

namespace strata::frontend {

void PythonToolParser::feed(std::string_view text, Deltas& out) {
  input_ += text;
  while (step(out)) {
  }
}

void PythonToolParser::finish(Deltas& out) {
  ended_ = true;
  while (step(out)) {
  }
}

bool PythonToolParser::step(Deltas& out) {
  switch (state_) {
    case State::kStart:
      return at_start();
    case State::kText:
      return in_text(out);
    case State::kCall:
      return in_call(out);
    case State::kAfterCall:
      return after_call();
    default:
      return after_list();
  }
}

bool PythonToolParser::at_start() {
  const size_t blanks = leading_blanks(input_);
  if (blanks == input_.size() && !ended_) return false;
  if (blanks == input_.size() || input_[blanks] != '[') {
    state_ = State::kText;
    return true;
  }
  call_at_ = blanks + 1;
  raw_ = input_.substr(0, call_at_);
  input_.erase(0, call_at_);
  scan_ = {};
  state_ = State::kCall;
  return true;
}

// Calls stand at the start or nowhere.
bool PythonToolParser::in_text(Deltas& out) {
  out.content(std::exchange(input_, {}));
  return false;
}

bool PythonToolParser::in_call(Deltas& out) {
  for (size_t at = 0; at < input_.size(); at++) {
    const PythonCallScan::Step step = scan_.put(input_[at]);
    if (step == PythonCallScan::Step::kMore) continue;
    raw_ += input_.substr(0, at + 1);
    input_.erase(0, at + 1);
    if (step == PythonCallScan::Step::kFailed) return release(out);
    const auto call = read_python_call(std::string_view(raw_).substr(call_at_));
    if (!call) return release(out);
    out.call(call->name);
    out.arguments(call->arguments);
    raw_.clear();
    state_ = State::kAfterCall;
    return true;
  }
  raw_ += std::exchange(input_, {});
  return ended_ && release(out);
}

bool PythonToolParser::release(Deltas& out) {
  out.content(raw_);
  raw_.clear();
  state_ = State::kText;
  return true;
}

bool PythonToolParser::after_call() {
  input_.erase(0, leading_blanks(input_));
  if (input_.empty()) return false;
  const char c = input_.front();
  if (c == ']') {
    input_.erase(0, 1);
    state_ = State::kAfterList;
  } else if (c == ',') {
    // A comma before the end says nothing.
    const size_t next = 1 + leading_blanks(std::string_view(input_).substr(1));
    if (next == input_.size() && !ended_) return false;
    raw_ = input_.substr(0, next);
    input_.erase(0, next);
    if (input_.starts_with(']')) return true;
    call_at_ = next;
    scan_ = {};
    state_ = State::kCall;
  } else {
    state_ = State::kText;
  }
  return true;
}

bool PythonToolParser::after_list() {
  input_.erase(0, leading_blanks(input_));
  if (input_.empty()) return false;
  state_ = State::kText;
  return true;
}

}  // namespace strata::frontend
