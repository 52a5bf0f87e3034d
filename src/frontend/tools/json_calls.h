// Calls as JSON objects with marks around them: the form of most families of models, each a
// JsonShape. Between an answer's text and json_call.h.
#pragma once

#include <string>
#include <string_view>

#include "frontend/tools/json_call.h"
#include "frontend/tools/tool_parser.h"

namespace strata::frontend {

/// What stands around the objects.
struct JsonShape {
  std::string_view begin;             // a mark that calls follow
  std::string_view end = {};          // a mark after a call
  bool list = false;                  // the objects are a JSON list's
  bool bare = false;                  // an answer may begin with an object, without the mark
  bool needs_arguments = false;       // without them an object is no call
  std::string_view separator = "\n";  // may stand between objects, besides blanks
};

class JsonToolParser : public ToolParser {
 public:
  explicit JsonToolParser(const JsonShape& shape) : shape_(shape) {
    if (shape.bare) state_ = State::kStart;
  }
  void feed(std::string_view text, Deltas& out) override;
  void finish(Deltas& out) override;

 private:
  enum class State : uint8_t { kStart, kText, kBefore, kObject, kAfter };

  bool step(Deltas& out);
  bool at_start();
  bool in_text(Deltas& out);
  bool before_object(Deltas& out);
  bool in_object(Deltas& out);
  bool after_object();
  bool fails_at(size_t at, Deltas& out);
  bool ends(Deltas& out);
  void announce(Deltas& out);
  void release(Deltas& out);
  bool go(State state);

  const JsonShape shape_;
  State state_ = State::kText;
  bool ended_ = false;
  std::string input_;  // not looked at yet, or not certain yet
  std::string raw_;    // since the mark: content where it turns out to be no call
  size_t mark_ = 0;    // bytes of raw_ that no call can begin in
  bool in_list_ = false;
  bool closed_ = false;  // behind the mark at the end
  bool announced_ = false;
  JsonCallReader reader_;
};

}  // namespace strata::frontend
