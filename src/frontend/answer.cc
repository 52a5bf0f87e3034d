// Updates in, members out.
#include "frontend/answer.h"

#include "sched/serialize.h"

namespace strata::frontend {
namespace {

Json logprob_json(const sampling::TokenLogprob& token) {
  return {{"id", token.id}, {"logprob", token.logprob}};
}

Json logprobs_json(const sampling::TokenLogprobs& logprobs) {
  Json made = logprob_json(logprobs.chosen);
  if (logprobs.top.empty()) return made;
  Json& top = made["top"] = Json::array();
  for (const sampling::TokenLogprob& token : logprobs.top) top.push_back(logprob_json(token));
  return made;
}

Json list_json(const std::vector<sampling::TokenLogprobs>& list) {
  Json made = Json::array();
  for (const sampling::TokenLogprobs& logprobs : list) made.push_back(logprobs_json(logprobs));
  return made;
}

}  // namespace

void Answer::receive(const engine::Update& update) {
  if (update.token) ids.push_back(*update.token);
  if (update.logprobs) logprobs.push_back(*update.logprobs);
  text += update.text;
  if (update.stop) stop = update.stop;
  finished = update.finished;
}

int64_t Answer::most_bytes(const engine::GenerateRequest& request) const {
  // Of JSON values and the line that they become; measured on rows with and without logprobs.
  constexpr int64_t kRow = 4096, kToken = 64, kEntry = 400;
  const auto entries = [](const std::optional<int64_t>& top) {
    return top ? kEntry * (*top + 1) : 0;
  };
  const int64_t tokens = request.max_tokens.value_or(engine::kDefaultMaxTokens);
  return kRow + tokens * (kToken + entries(request.sampling.logprobs)) +
         static_cast<int64_t>(prompt_ids.size()) *
             (kToken + entries(request.sampling.prompt_logprobs));
}

Json Answer::json() const {
  Json made = {{"prompt_ids", prompt_ids},
               {"ids", ids},
               {"text", has_text ? Json(text) : Json()},
               {"finish_reason", sched::finish_reason_name(*finished)}};
  if (stop) made["stop"] = *stop;
  if (wants_logprobs) made["logprobs"] = list_json(logprobs);
  if (wants_prompt_logprobs) made["prompt_logprobs"] = prompt_json();
  return made;
}

Json Answer::prompt_json() const {
  Json made = list_json(prompt_logprobs);
  made.insert(made.begin(), Json());
  return made;
}

engine::GenerateRequest make_request(const Ask& ask, Answer& answer, const TextCodec& codec,
                                     const model::GenerationDefaults& defaults, bool continues) {
  engine::GenerateRequest request{
      .prompt = answer.prompt_ids, .max_tokens = ask.max_tokens, .sampling = ask.params};
  if (!ask.ignore_eos) request.stop_ids = codec.stop_ids(defaults);
  request.detokenizer = codec.detokenizer(continues, ask.shown_ids);
  answer.has_text = codec.has_tokenizer();
  answer.wants_logprobs = ask.params.logprobs.has_value();
  answer.wants_prompt_logprobs = ask.params.prompt_logprobs.has_value();
  if (answer.wants_prompt_logprobs && !answer.prompt_ids.empty()) {
    answer.prompt_logprobs.resize(answer.prompt_ids.size() - 1);
    request.on_prompt_logprobs = [&answer](int64_t position, const sampling::TokenLogprobs& of) {
      answer.prompt_logprobs[static_cast<size_t>(position - 1)] = of;
    };
  }
  return request;
}

}  // namespace strata::frontend
