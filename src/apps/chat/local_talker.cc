// Steps the engine until the answer has ended.
#include "apps/chat/local_talker.h"

#include <fmt/core.h>

#include <utility>

#include "apps/interrupt.h"

namespace strata::apps {

Result<LocalTalker> LocalTalker::create(Session& session, const Json& sampling) {
  frontend::Ask ask = TRY(frontend::flags_ask(sampling, session.codec, session.opened->defaults()));
  frontend::warn_without_effect(sampling, ask);
  return LocalTalker(session, std::move(ask));
}

Result<std::string> LocalTalker::answer(const Json& messages, const ShowText& show) {
  frontend::Answer answer{.prompt_ids = TRY(session_->codec.encode_chat(messages))};
  TRY(complete(answer, false, show));
  return std::move(answer.text);
}

Result<void> LocalTalker::complete(frontend::Answer& answer, bool continues, const ShowText& show) {
  engine::GenerateRequest request = frontend::make_request(ask_, answer, session_->codec,
                                                           session_->opened->defaults(), continues);
  if (ask_.echo) answer.text = TRY(session_->codec.decode(answer.prompt_ids));
  Result<void> outcome;
  const auto emit = [&](const std::string& piece) {
    if (outcome && !piece.empty()) outcome = show(piece);
  };
  const auto receive = [&](const engine::Update& update) {
    // Without a tokenizer the ids themselves are shown.
    if (update.token && !answer.has_text)
      emit(fmt::format("{}{}", answer.ids.empty() ? "" : " ", *update.token));
    emit(update.text);
    answer.receive(update);
    if (update.error) outcome = std::unexpected(*update.error);
  };
  const auto id = TRY(session_->engine->submit(std::move(request), receive));
  emit(answer.text);
  for (bool more = true, cancelled = false; more;) {
    if (!cancelled && (interrupted() || !outcome)) {
      session_->engine->cancel(id);
      cancelled = true;
    }
    more = session_->engine->step();
  }
  return outcome;
}

}  // namespace strata::apps
