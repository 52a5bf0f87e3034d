// Submission, prompt by prompt, and the updates.
#include "frontend/completion.h"

#include <algorithm>
#include <utility>

namespace strata::frontend {

Completion::Completion(engine::Engine& engine, ApiRequest request, const ServedModel& model,
                       Watcher watcher)
    : engine_(engine), model_(model), request_(std::move(request)), watcher_(std::move(watcher)) {
  answers_.resize(request_.prompts.size() * static_cast<size_t>(request_.n));
}

Result<std::unique_ptr<Completion>> Completion::submit(engine::Engine& engine, ApiRequest request,
                                                       const ServedModel& model, Watcher watcher) {
  std::unique_ptr<Completion> made(
      new Completion(engine, std::move(request), model, std::move(watcher)));
  const size_t prompts = made->request_.prompts.size();
  TRY(engine.check_room(static_cast<int64_t>(prompts)));
  std::vector<engine::GenerateRequest> requests;
  int64_t bytes = 0;
  for (size_t prompt = 0; prompt < prompts; prompt++) {
    requests.push_back(TRY(made->prepare(prompt)));
    TRY(engine.check(requests.back()));
    const auto tokens = static_cast<int64_t>(requests.back().prompt.size());
    bytes += engine.held_bytes(requests.back()) +
             response_bytes(made->request_, tokens, *made->request_.ask.max_tokens);
  }
  // One grammar is that of all prompts.
  const int64_t own = requests.empty() ? 0 : engine::Engine::own_bytes(requests.front());
  made->text_ = TRY(engine.text().reserve("the request and its answers", bytes, own));
  for (size_t prompt = 0; prompt < prompts; prompt++) {
    made->ids_.push_back(TRY(engine.submit(
        std::move(requests[prompt]), [self = made.get(), prompt](const engine::Update& update) {
          self->receive(prompt, update);
        })));
    made->open_ += made->request_.n;
  }
  return made;
}

Result<engine::GenerateRequest> Completion::prepare(size_t prompt) {
  const auto n = static_cast<size_t>(request_.n);
  Ask ask = request_.ask;
  // Prompts of one body draw differently, as its choices do.
  ask.params.choice = static_cast<uint32_t>(prompt * n);
  const bool continues = request_.kind == ApiKind::kCompletion;
  Answer& first = answers_[prompt * n];
  first.prompt_ids = request_.prompts[prompt];
  engine::GenerateRequest made =
      make_request(ask, first, *model_.codec, *model_.defaults, continues);
  made.n = request_.n;
  made.priority = request_.priority;
  made.cache_salt = request_.cache_salt;
  made.received_ns = request_.received_ns;
  if (continues && ask.echo) first.text = TRY(model_.codec->decode(first.prompt_ids));
  for (size_t choice = 1; choice < n; choice++) {
    Answer& other = answers_[prompt * n + choice];
    other.prompt_ids = first.prompt_ids;
    other.text = first.text;
    other.has_text = first.has_text;
    other.wants_logprobs = first.wants_logprobs;
  }
  return made;
}

void Completion::receive(size_t prompt, const engine::Update& update) {
  const auto first = answers_.begin() + static_cast<int64_t>(prompt) * request_.n;
  const bool ends_all = update.error || update.finished == sched::FinishReason::kCancelled;
  if (!ends_all) {
    Answer& answer = first[update.choice];
    generated_ += update.token.has_value();
    answer.receive(update);
    open_ -= update.finished.has_value();
    if (watcher_) watcher_(static_cast<int64_t>(prompt) * request_.n + update.choice, update);
    return;
  }
  open_ -= std::count_if(first, first + request_.n,
                         [](const Answer& answer) { return !answer.finished.has_value(); });
  if (error_) return;
  error_ = update.error ? *update.error : Status{Code::kCancelled, "cancelled", {}, {}, {}};
  for (size_t other = 0; other < ids_.size(); other++) {
    if (other != prompt) engine_.cancel(ids_[other]);
  }
}

void Completion::cancel() {
  for (const sched::RequestId id : ids_) engine_.cancel(id);
}

Result<Json> Completion::body(const ResponseHead& head, BodyWriter writer) const {
  return writer(request_, head, answers_, *model_.codec);
}

int64_t Completion::prompt_tokens() const {
  int64_t sum = 0;
  for (const auto& ids : request_.prompts) sum += static_cast<int64_t>(ids.size());
  return sum;
}

}  // namespace strata::frontend
