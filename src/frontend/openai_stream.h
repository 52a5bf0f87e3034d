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
#include "frontend/dialects/stream_writer.h"
#include "frontend/logprobs_json.h"
#include "frontend/openai_request.h"
#include "frontend/openai_response.h"
#include "frontend/tools/answer_parser.h"

namespace strata::frontend {

/// "data: {...}\n\n".
std::string sse_event(const Json& data);
/// The same after "event: NAME\n".
std::string named_sse_event(std::string_view name, const Json& data);

class OpenAiStream : public StreamWriter {
 public:
  /// `codec` must outlive it.
  OpenAiStream(const ApiRequest& request, ResponseHead head, const TextCodec& codec);

  /// What every answer begins with: its role, or the echoed prompt. Fails where ids have no text.
  Result<std::string> start() override;
  /// An event for each thing that the piece says. Empty where it says nothing yet: text that may
  /// still become a stop string, or the mark of a call.
  Result<std::string> piece(const StreamPiece& piece) override;
  /// Usage where it was asked for, and the end mark.
  std::string end() override;
  std::string error(const Status& status) override;

 private:
  // These are JSON as text.
  Result<std::string> logprobs_of(const StreamPiece& piece);
  std::string_view reason_of(const StreamPiece& piece) const;
  std::vector<std::string> deltas_of(const StreamPiece& piece);
  void add_chunk(std::string_view choice, std::string& text) const;
  Json envelope() const;

  ApiRequest request_;
  ResponseHead head_;
  const TextCodec& codec_;
  std::vector<CompletionLogprobs> logprobs_;  // of each answer
  std::vector<AnswerParser> parsers_;         // of each answer to a chat
  std::string before_;                        // of every chunk, up to its choice
  int64_t generated_ = 0;
};

}  // namespace strata::frontend
