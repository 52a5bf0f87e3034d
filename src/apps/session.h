// A loaded model ready to generate: what `generate`, `chat` and others share between reading flags
// and reading prompts. Opens, resolves, prints the decisions, loads with a progress line. Holds no
// prompt.
#pragma once

#include <memory>
#include <string>

#include "apps/live.h"
#include "apps/plan/planned.h"
#include "base/env.h"
#include "base/status.h"
#include "engine/engine.h"
#include "engine/opened_model.h"
#include "frontend/text_codec.h"

namespace strata::apps {

struct Session {
  std::unique_ptr<engine::OpenedModel> opened;
  std::unique_ptr<engine::Engine> engine;
  frontend::TextCodec codec;       // its grammars are charged to the engine's account
  std::unique_ptr<LiveDoor> door;  // for `inspect --live`; null where it could not be opened
  placement::CostTable costs;      // that the run's plan was made with
};

/// Tokenizer problems are found before the weights are read.
Result<Session> open_session(Env& env, const SessionArgs& args);

/// The plan's short table on stderr, before weights are loaded; and predicted beside measured at
/// the end. For commands that open no session.
void print_plan(const engine::OpenedModel& opened, const engine::ResolvedConfig& config,
                const engine::Calibration& prices);
void print_outcome(const engine::Engine& engine, const engine::OpenedModel& opened,
                   const placement::CostTable& costs);

/// After a command's last step: ends its trace, writes its statistics and shows predicted beside
/// measured, whatever the outcome was.
/// That comes back, and a failure of this only where there was none.
Result<void> close_session(Session& session, Result<void> outcome);

}  // namespace strata::apps
