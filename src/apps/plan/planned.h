// A run up to where its weights would be loaded: the model opened, every "auto" answered, prices
// found. What `plan` shows, what a session goes on from, what `bench plan` measures.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/status.h"
#include "engine/config.h"
#include "engine/machine.h"
#include "engine/opened_model.h"
#include "engine/plan/calibrate.h"
#include "engine/plan/forecast.h"
#include "engine/resolve.h"
#include "frontend/text_codec.h"

namespace strata::apps {

struct SessionArgs {
  std::string model;
  std::string revision;
  engine::EngineConfig engine;
  std::function<void(int64_t done, int64_t total)> on_progress = {};  // bytes, from loading threads
};

struct Planned {
  std::unique_ptr<engine::OpenedModel> opened;
  frontend::TextCodec codec;
  engine::MachineFacts machine;  // the process with its tokenizer
  engine::ResolvedConfig config;
  engine::Calibration prices;
};

/// Warns of what is odd about the model. Tokenizer problems are found here. `probing` as below.
Result<Planned> plan_run(Env& env, const SessionArgs& args,
                         std::optional<engine::Probing> probing = {});

/// Prices for a resolved configuration, and what of it follows from them (balance_step). Without
/// `probing` a run that streams measures what the cache lacks, others take what it has.
engine::Calibration price_run(Env& env, const engine::OpenedModel& opened,
                              engine::ResolvedConfig& config, const engine::MachineFacts& machine,
                              std::optional<engine::Probing> probing = {});

/// What the same run would be with a GiB more; nullopt where it has no ceiling, or no other plan.
std::optional<engine::Forecast> with_one_more_gib(const Planned& planned);

}  // namespace strata::apps
