// A loaded model ready to generate: what `generate` (and later chat) share between reading flags
// and reading prompts. Opens, resolves, prints the decisions, loads with a progress line. Holds no
// prompt.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/live.h"
#include "base/env.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/opened_model.h"
#include "frontend/text_codec.h"

namespace strata::apps {

struct SessionArgs {
  std::string model;
  std::string revision;
  engine::EngineConfig engine;
  std::function<void(int64_t done, int64_t total)> on_progress = {};  // bytes, from loading threads
};

struct Session {
  std::unique_ptr<engine::OpenedModel> opened;
  std::unique_ptr<engine::Engine> engine;
  frontend::TextCodec codec;       // its grammars are charged to the engine's account
  std::unique_ptr<LiveDoor> door;  // for `inspect --live`; null where it could not be opened
};

/// Tokenizer problems are found before the weights are read.
Result<Session> open_session(Env& env, const SessionArgs& args);

/// After a command's last step: ends its trace and writes its statistics, whatever the outcome was.
/// That comes back, and a failure of this only where there was none.
Result<void> close_session(Session& session, Result<void> outcome);

}  // namespace strata::apps
