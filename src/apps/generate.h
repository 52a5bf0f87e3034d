// `strata generate MODEL`: one prompt to the terminal, a conversation, or a file of prompts to a
// file of answers.
#pragma once

#include <optional>
#include <string>

#include "apps/session.h"
#include "base/config_fields.h"
#include "base/env.h"
#include "base/json.h"
#include "base/status.h"
#include "frontend/sampling_fields.h"

namespace strata::apps {

struct GenerateArgs {
  SessionArgs session;
  Json sampling = Json::object();  // fields of sampling_fields.h that were given
  std::optional<std::string> prompt = {};
  std::string prompt_file;
  std::string prompts;  // JSON Lines in
  std::string out;      // JSON Lines out; empty: standard output
  std::string logits;   // folder; empty: none
  bool chat = false;
  std::optional<std::string> system = {};
  bool json = false;
};

/// Flags of the command besides the engine's.
FieldList generate_fields();
Result<GenerateArgs> make_generate_args(const std::string& model, const FieldValues& values);

Result<void> run_generate(Env& env, const GenerateArgs& args);

}  // namespace strata::apps
