// Answers as server-sent events, in the shapes of OpenAI's chat and completions API: what the
// engine says of them, piece by piece, as text to send. It knows no engine and no transport.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "frontend/logprobs_json.h"
#include "frontend/openai_request.h"
#include "frontend/openai_response.h"
#include "frontend/tools/answer_parser.h"
#include "sched/types.h"

namespace strata::frontend {

/// What came of an answer in one go. Text never ends in a part of a character.
struct StreamPiece {
  int64_t answer = 0;  // the choice's index
  std::optional<int32_t> token = {};
  std::string text = {};
  std::optional<sampling::TokenLogprobs> logprobs = {};
  std::optional<std::string> stop = {};
  std::optional<sched::FinishReason> finished = {};
};

/// "data: {...}\n\n".
std::string sse_event(const Json& data);

class StreamWriter {
 public:
  /// `codec` must outlive it.
  StreamWriter(const ApiRequest& request, ResponseHead head, const TextCodec& codec);

  /// What every answer begins with: its role, or the echoed prompt. Fails where ids have no text.
  Result<std::string> start();
  /// An event for each thing that the piece says. Empty where it says nothing yet: text that may
  /// still become a stop string, or the mark of a call.
  Result<std::string> piece(const StreamPiece& piece);
  /// Usage where it was asked for, and the end mark.
  std::string end() const;
  /// In place of the end.
  static std::string error(const Status& status);

 private:
  Result<Json> logprobs_of(const StreamPiece& piece);
  std::string_view reason_of(const StreamPiece& piece) const;
  std::vector<Json> deltas_of(const StreamPiece& piece);
  Json envelope(Json choices) const;
  std::string chunk(Json choices) const;

  ApiRequest request_;
  ResponseHead head_;
  const TextCodec& codec_;
  std::vector<CompletionLogprobs> logprobs_;  // of each answer
  std::vector<AnswerParser> parsers_;         // of each answer to a chat
  int64_t generated_ = 0;
};

}  // namespace strata::frontend
