// Answers from a model that this process has loaded: prompts and conversations to its engine, text
// to whoever shows it.
#pragma once

#include "apps/chat/talker.h"
#include "apps/session.h"
#include "frontend/answer.h"
#include "frontend/sampling_fields.h"

namespace strata::apps {

class LocalTalker : public Talker {
 public:
  /// `sampling`: fields of sampling_fields.h that were given. `session` must outlive it.
  static Result<LocalTalker> create(Session& session, const Json& sampling);

  Result<std::string> answer(const Json& messages, const ShowText& show) override;
  /// `answer` holds the prompt and gets the rest; `continues`: the text follows a shown one.
  Result<void> complete(frontend::Answer& answer, bool continues, const ShowText& show);

 private:
  LocalTalker(Session& session, frontend::Ask ask) : session_(&session), ask_(std::move(ask)) {}

  Session* session_;
  frontend::Ask ask_;
};

}  // namespace strata::apps
