// `strata serve [MODEL]`: a model behind OpenAI's API over HTTP. Flags to a configuration, the
// order of starting and ending; routes are the layer server's.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "apps/serve/files_flags.h"
#include "apps/session.h"
#include "base/config_fields.h"
#include "base/env.h"
#include "base/status.h"
#include "frontend/tools/dialog.h"
#include "server/access_log.h"
#include "server/http_server.h"
#include "server/tls/tls_context.h"

namespace strata::apps {

struct ServeArgs {
  SessionArgs session;
  server::HttpConfig http;
  std::vector<std::string> names;  // of the model
  frontend::DialogChoice dialog;
  server::LogFormat log_format = server::LogFormat::kText;
  std::chrono::milliseconds shutdown_timeout{};
  std::chrono::milliseconds stall_timeout{};
  std::optional<std::chrono::milliseconds> request_timeout = {};
  bool metrics_old_names = false;
  std::vector<server::KeyLimit> key_limits;   // of http.keys, or of everybody
  std::optional<server::ServerTls> tls = {};  // the files of http.tls
  std::optional<FilesArgs> files = {};        // none: the server keeps no files
};

FieldList serve_fields();
/// Reads the file of keys, the certificate and the environment. kInvalidArgument where others than
/// this machine could come in without a key.
Result<ServeArgs> make_serve_args(Env& env, const std::string& model, const FieldValues& values);

/// Returns after SIGINT or SIGTERM, once what ran has ended.
Result<void> run_serve(Env& env, const ServeArgs& args);

}  // namespace strata::apps
