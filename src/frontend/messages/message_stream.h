// An answer as the events of Anthropic's Messages API: a message begins, its blocks come one after
// the other, it ends. What the engine says becomes text to send; it knows no transport.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "frontend/dialects/stream_writer.h"
#include "frontend/messages/message_blocks.h"
#include "frontend/tools/answer_parser.h"

namespace strata::frontend {

class MessageStream : public StreamWriter {
 public:
  MessageStream(const ApiRequest& request, ResponseHead head, const TextCodec& codec);

  Result<std::string> start() override;
  Result<std::string> piece(const StreamPiece& piece) override;
  std::string end() override;
  std::string error(const Status& status) override;
  std::string ping() override;

 private:
  std::string say(const Delta& delta);
  std::string close_block();

  ApiRequest request_;
  ResponseHead head_;
  AnswerParser parser_;
  MessageEnd end_;
  std::optional<DeltaKind> last_;  // of the open block
  int64_t block_ = 0;
  int64_t generated_ = 0;
};

}  // namespace strata::frontend
