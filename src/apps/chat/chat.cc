// Flags, and which of the two ways to get answers is meant.
#include "apps/chat/chat.h"

#include <fmt/core.h>

#include <utility>

#include "apps/chat/chat_loop.h"
#include "apps/chat/local_talker.h"
#include "apps/client/client_flags.h"
#include "apps/interrupt.h"
#include "base/log.h"
#include "checkpoint/model_folder.h"

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "url",
     .unit = "URL",
     .help = "talk to a server instead: http://HOST:PORT, https://HOST:PORT or unix:PATH; MODEL is "
             "then a name of its"},
    {.name = "api-key",
     .unit = "KEY",
     .help = "with --url: the server's key; other users see flags, but not STRATA_API_KEY",
     .secret = true},
    {.name = "system", .unit = "TEXT", .help = "the system message"},
};

Result<void> check_combination(const FieldValues& values) {
  for (const char* name : {"logprobs", "prompt-logprobs", "echo"}) {
    if (!values.given(name)) continue;
    return fail(Code::kInvalidArgument, fmt::format("--{} in a chat", name), {}, {},
                "only text is shown");
  }
  // What a file or the environment says for many commands does not contradict one of them.
  if (!values.given("url")) {
    for (const char* name : {"api-key", "cacert", "insecure"}) {
      if (!values.typed(name)) continue;
      return fail(Code::kInvalidArgument, fmt::format("--{} without --url", name), {}, {},
                  "it is about a server");
    }
    return {};
  }
  for (const ConfigField& field : engine::engine_fields()) {
    if (!values.typed(field.name)) continue;
    return fail(Code::kInvalidArgument, fmt::format("--{} with --url", field.name), {}, {},
                "the server's own flags say how it computes");
  }
  return {};
}

Result<RemoteTalker::Config> remote_config(Env& env, const std::string& model,
                                           const FieldValues& values) {
  RemoteTalker::Config config;
  config.client = TRY(make_client_config(env, values));
  if (model != checkpoint::kEmbeddedModel) config.model = model;
  return config;
}

Result<void> chat_with_server(const ChatArgs& args) {
  watch_interrupts();
  const auto talker = TRY(RemoteTalker::connect(*args.remote));
  log_info("talking to {}", talker->model());
  return chat_loop(*talker, args.system);
}

Result<void> chat_with_model(Session& session, const ChatArgs& args) {
  LocalTalker talker = TRY(LocalTalker::create(session, args.sampling));
  return chat_loop(talker, args.system);
}

}  // namespace

FieldList chat_fields() { return kFields; }

Result<ChatArgs> make_chat_args(Env& env, const std::string& model, const FieldValues& values) {
  TRY(check_combination(values));
  ChatArgs args;
  args.sampling = TRY(frontend::sampling_values(values));
  if (values.given("system")) args.system = values.text("system");
  if (values.given("url")) {
    args.remote = TRY(remote_config(env, model, values));
    args.remote->sampling = args.sampling;
    return args;
  }
  args.session.model = model;
  args.session.revision = values.text("revision");
  args.session.engine = TRY(engine::make_engine_config(values));
  return args;
}

Result<void> run_chat(Env& env, const ChatArgs& args) {
  if (args.remote) return chat_with_server(args);
  Session session = TRY(open_session(env, args.session));
  watch_interrupts();
  return close_session(session, chat_with_model(session, args));
}

}  // namespace strata::apps
