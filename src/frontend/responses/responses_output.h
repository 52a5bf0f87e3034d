// An answer as the items of OpenAI's Responses API, and the object around them: what streams and
// whole answers share, so that the one put together is the other.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"
#include "frontend/answer.h"
#include "frontend/openai_response.h"
#include "frontend/tools/deltas.h"

namespace strata::frontend {

/// The items so far: thoughts, messages and calls in their order, each with one part at most.
class ResponseOutput {
 public:
  /// Ids of items are made of the response's.
  explicit ResponseOutput(std::string_view response_id) : id_(response_id) {}

  /// The next item, empty, as this delta begins it.
  void begin(const Delta& delta);
  /// More of the last item.
  void extend(const Delta& delta);
  /// The last item is done, or was cut off.
  void close(bool cut);

  const Json& items() const { return items_; }
  Json& last() { return items_.back(); }
  int64_t last_index() const { return std::ssize(items_) - 1; }

 private:
  std::string id_;
  Json items_ = Json::array();
};

/// How far a response has come.
struct ResponseState {
  std::string_view status = "in_progress";
  int64_t generated = 0;
};

/// "completed", or "incomplete" where the answer was cut off.
std::string_view response_status(sched::FinishReason reason);

/// A response with these items.
Json response_object(const ApiRequest& request, const ResponseHead& head,
                     const ResponseState& state, const Json& items);

/// The whole body. `answers`: the one that the request asked for.
Result<Json> responses_body(const ApiRequest& request, const ResponseHead& head,
                            std::span<const Answer> answers, const TextCodec& codec);

}  // namespace strata::frontend
