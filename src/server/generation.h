// One API request between the thread that reads it and the engine's: what was asked, what has come
// of it, and who is to be woken. The only thing that both sides touch.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "frontend/completion.h"
#include "frontend/dialects/stream_writer.h"
#include "server/keys/key_limits.h"

namespace strata::server {

class Generation {
 public:
  /// `notify` is called on the engine's thread whenever there is news.
  Generation(frontend::ApiRequest request, std::function<void()> notify);

  /// What has happened since the last call. Pieces are kept for streams only; all that may wait at
  /// once was reserved when the request was accepted.
  struct News {
    bool accepted = false;
    std::vector<frontend::StreamPiece> pieces = {};
    bool done = false;
    std::optional<Status> error = {};  // then there is no more
  };
  News take();
  /// After done, without an error.
  Result<Json> body(const frontend::ResponseHead& head, frontend::BodyWriter writer) const {
    return completion_->body(head, writer);
  }
  int64_t prompts() const { return prompts_; }
  /// Of all its prompts.
  int64_t prompt_tokens() const { return prompt_tokens_; }
  /// Before it is submitted: whose limits the answer is charged to. The lease ends before anybody
  /// hears that the answer has.
  void charge_to(KeyLimits::Lease lease) { lease_ = std::move(lease); }

  // What follows is the engine thread's (EngineDoor).
  Result<void> start(engine::Engine& engine, const frontend::ServedModel& model);
  bool started() const { return completion_ != nullptr; }
  bool ended() const { return completion_->done(); }
  void cancel() { completion_->cancel(); }
  void refuse(Status error);
  void finish();

 private:
  void hear(int64_t answer, const engine::Update& update);

  std::optional<frontend::ApiRequest> request_;  // until it is the completion's
  const int64_t prompts_;
  const int64_t prompt_tokens_;
  const bool streams_;
  std::function<void()> notify_;
  KeyLimits::Lease lease_;
  std::unique_ptr<frontend::Completion> completion_;  // the engine thread's until done
  std::mutex mutex_;
  News news_;
};

}  // namespace strata::server
