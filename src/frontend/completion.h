// One API request under way: all its prompts and choices in the engine, their answers as they come
// in, and the body at the end. What `batch` and the server share between a body and its response.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "engine/engine.h"
#include "frontend/openai_request.h"
#include "frontend/openai_response.h"

namespace strata::frontend {

/// Hears each update of each answer as it comes, on the engine's thread; errors and cancels end all
/// answers and are not among them.
using Watcher = std::function<void(int64_t answer, const engine::Update& update)>;

/// Stays where it is: the engine's updates refer to it until done().
class Completion {
 public:
  /// Submits everything or nothing; kBusy where there is no room yet.
  static Result<std::unique_ptr<Completion>> submit(engine::Engine& engine, ApiRequest request,
                                                    const ServedModel& model, Watcher watcher = {});
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  /// Nothing more will come.
  bool done() const { return open_ == 0; }
  /// The first error of any of its answers; the others are cancelled then.
  const std::optional<Status>& error() const { return error_; }
  const ApiRequest& request() const { return request_; }
  /// Ends with the next step. A request that was cancelled has the error kCancelled.
  void cancel();
  /// Once done() without an error.
  Result<Json> body(const ResponseHead& head, BodyWriter writer) const;

  int64_t prompt_tokens() const;
  int64_t generated_tokens() const { return generated_; }

 private:
  Completion(engine::Engine& engine, ApiRequest request, const ServedModel& model, Watcher watcher);
  Result<engine::GenerateRequest> prepare(size_t prompt);
  void receive(size_t prompt, const engine::Update& update);

  engine::Engine& engine_;
  const ServedModel& model_;
  ApiRequest request_;
  Watcher watcher_;
  std::vector<Answer> answers_;  // request_.n for each prompt
  std::vector<sched::RequestId> ids_;
  int64_t open_ = 0;  // answers that have not ended
  int64_t generated_ = 0;
  std::optional<Status> error_;
  memory::Charge text_;  // all that this comes to
};

}  // namespace strata::frontend
