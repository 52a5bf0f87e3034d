// An answer as blocks of content, as Anthropic's API has them: what streams and whole answers
// share, so that the one put together is the other.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "frontend/openai_request.h"
#include "frontend/openai_response.h"
#include "frontend/tools/deltas.h"
#include "sched/types.h"

namespace strata::frontend {

/// How a block begins, before its first delta.
Json empty_block(const Delta& delta);
/// What a stream says of it within its block; null for what the block's beginning has said.
Json block_delta(const Delta& delta);

/// All blocks. The input of a call that was cut off, or that is no JSON, is empty.
Json message_blocks(std::span<const Delta> deltas);

/// How an answer ended.
struct MessageEnd {
  sched::FinishReason reason = sched::FinishReason::kStop;
  std::optional<std::string> stop = {};  // the stop sequence
  bool calls = false;
};

/// {"stop_reason", "stop_sequence"}.
Json message_end(const ApiRequest& request, const MessageEnd& end);
/// A message without content and end; `output_tokens` so far.
Json message_head(const ApiRequest& request, const ResponseHead& head, int64_t output_tokens);

}  // namespace strata::frontend
