// The one interface of the APIs' streams: what the engine says of answers, piece by piece, becomes
// events as text to send. Between whoever hears the engine and a transport; it knows neither.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "sampling/logprobs.h"
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

class StreamWriter {
 public:
  StreamWriter() = default;
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;
  virtual ~StreamWriter() = default;

  /// What stands before all answers. Fails where ids have no text.
  virtual Result<std::string> start() = 0;
  /// Empty where the piece says nothing yet: text that may still become a stop string, or the mark
  /// of a call.
  virtual Result<std::string> piece(const StreamPiece& piece) = 0;
  /// After the last piece.
  virtual std::string end() = 0;
  /// In place of the end.
  virtual std::string error(const Status& status) = 0;
  /// While there is nothing to say.
  virtual std::string ping() { return ": ping\n\n"; }
};

}  // namespace strata::frontend
