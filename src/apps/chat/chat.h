// `strata chat [MODEL]`: a conversation with a model of this process, or with --url one of a
// server.
#pragma once

#include <optional>
#include <string>

#include "apps/chat/remote_talker.h"
#include "apps/session.h"
#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"

namespace strata::apps {

struct ChatArgs {
  SessionArgs session;  // where there is no --url
  std::optional<RemoteTalker::Config> remote = {};
  Json sampling = Json::object();
  std::optional<std::string> system = {};
};

FieldList chat_fields();
Result<ChatArgs> make_chat_args(Env& env, const std::string& model, const FieldValues& values);

Result<void> run_chat(Env& env, const ChatArgs& args);

}  // namespace strata::apps
