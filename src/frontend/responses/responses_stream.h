// An answer as the typed events of OpenAI's Responses API, each with its number: the response
// begins, its items come one after the other, it ends. What the engine says becomes text to send.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "frontend/dialects/stream_writer.h"
#include "frontend/openai_response.h"
#include "frontend/responses/responses_output.h"
#include "frontend/tools/answer_parser.h"

namespace strata::frontend {

class ResponsesStream : public StreamWriter {
 public:
  ResponsesStream(const ApiRequest& request, ResponseHead head, const TextCodec& codec);

  Result<std::string> start() override;
  Result<std::string> piece(const StreamPiece& piece) override;
  std::string end() override;
  std::string error(const Status& status) override;

 private:
  std::string event(std::string_view name, const Json& members);
  Json place() const;
  std::string open_item(const Delta& delta);
  std::string close_item(bool cut);
  std::string say(const Delta& delta);
  Json response(std::string_view status) const;

  ApiRequest request_;
  ResponseHead head_;
  AnswerParser parser_;
  ResponseOutput output_;
  std::optional<DeltaKind> last_;  // of the open item
  sched::FinishReason reason_ = sched::FinishReason::kStop;
  int64_t generated_ = 0;
  int64_t events_ = 0;
};

}  // namespace strata::frontend
