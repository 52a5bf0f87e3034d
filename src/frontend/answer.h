// One answer as it comes in, and as JSON: what `generate` shows for a prompt and writes for a row.
// Fed by the engine's updates; it neither asks nor prints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/engine.h"
#include "frontend/sampling_fields.h"
#include "frontend/text_codec.h"

namespace strata::frontend {

struct Answer {
  std::vector<int32_t> prompt_ids = {};
  std::vector<int32_t> ids = {};
  std::string text = {};
  bool has_text = false;  // the model has a tokenizer
  std::optional<sched::FinishReason> finished = {};
  std::optional<std::string> stop = {};  // the stop string that ended it
  bool wants_logprobs = false;
  bool wants_prompt_logprobs = false;
  std::vector<sampling::TokenLogprobs> logprobs = {};         // of ids
  std::vector<sampling::TokenLogprobs> prompt_logprobs = {};  // of prompt_ids from the second on

  void receive(const engine::Update& update);
  /// Most bytes that this and its JSON come to.
  int64_t most_bytes(const engine::GenerateRequest& request) const;
  /// prompt_ids, ids, text, finish_reason, and what else was asked for or happened.
  Json json() const;
  /// Logprobs of the prompt's tokens; null for the first, which nothing stands before.
  Json prompt_json() const;
};

/// The request for `answer.prompt_ids`; the answer must outlive it and must not move.
engine::GenerateRequest make_request(const Ask& ask, Answer& answer, const TextCodec& codec,
                                     const model::GenerationDefaults& defaults, bool continues);

}  // namespace strata::frontend
