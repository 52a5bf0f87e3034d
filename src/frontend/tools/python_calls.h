// Calls as a list in Python: the whole answer is [f(a=1), g(b="x")]. Between an answer's text and
// python_call.h; a call goes out once its last bracket is there.
#pragma once

#include <string>
#include <string_view>

#include "frontend/tools/python_call.h"
#include "frontend/tools/tool_parser.h"

namespace strata::frontend {

class PythonToolParser : public ToolParser {
 public:
  void feed(std::string_view text, Deltas& out) override;
  void finish(Deltas& out) override;

 private:
  enum class State : uint8_t { kStart, kText, kCall, kAfterCall, kAfterList };

  bool step(Deltas& out);
  bool at_start();
  bool in_text(Deltas& out);
  bool in_call(Deltas& out);
  bool after_call();
  bool after_list();
  bool release(Deltas& out);

  State state_ = State::kStart;
  bool ended_ = false;
  std::string input_;   // not looked at yet
  std::string raw_;     // since the list or the last call: content where it turns out to be none
  size_t call_at_ = 0;  // where in raw_ the call may begin
  PythonCallScan scan_;
};

}  // namespace strata::frontend
