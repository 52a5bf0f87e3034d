// Who answers in a conversation: a model of this process, or a server. Between the loop that reads
// lines (chat_loop.h) and the two; holds no history.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace strata::apps {

/// Gets text as it becomes certain; a failure ends the answer.
using ShowText = std::function<Result<void>(std::string_view piece)>;

class Talker {
 public:
  virtual ~Talker() = default;
  /// The text of the answer to a list of messages. Ctrl-C (interrupt.h) ends it early, with what
  /// has been shown.
  virtual Result<std::string> answer(const Json& messages, const ShowText& show) = 0;
};

}  // namespace strata::apps
