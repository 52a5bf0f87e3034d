// A loaded model ready to generate: what `generate` (and later chat) share between reading flags
// and reading prompts. Opens, resolves, prints the decisions, loads with a progress line. Holds no
// prompt.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "apps/text_codec.h"
#include "base/env.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/opened_model.h"

namespace strata::apps {

struct SessionArgs {
  std::string model;
  std::string revision;
  engine::EngineConfig engine;
};

/// Answers of --temperature and its kind; empty ones are the model's (generation_config.json).
struct SamplingFlags {
  std::optional<double> temperature = {};
  std::optional<int64_t> top_k = {};
  std::optional<double> top_p = {};
  std::optional<double> min_p = {};
  std::optional<int64_t> seed = {};  // empty: drawn
};

struct Session {
  std::unique_ptr<engine::OpenedModel> opened;
  TextCodec codec;
  std::unique_ptr<engine::Engine> engine;
};

/// Tokenizer problems are found before the weights are read.
Result<Session> open_session(Env& env, const SessionArgs& args);

/// Greedy where the model's files do not ask for sampling and no flag does, as Transformers. Says
/// what has no effect.
sampling::SamplingParams make_sampling(const SamplingFlags& flags,
                                       const model::GenerationDefaults& defaults);

}  // namespace strata::apps
