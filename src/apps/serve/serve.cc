// The server listens before the model is there, and ends before the model goes.
#include "apps/serve/serve.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string_view>
#include <utility>

#include "apps/serve/keys_flags.h"
#include "apps/serve/service_manager.h"
#include "apps/serve/tls_flags.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/machine.h"
#include "server/api_routes.h"
#include "server/api_service.h"

namespace strata::apps {
namespace {

constexpr std::chrono::milliseconds kLastWrites{5000};
constexpr size_t kFormBytes = 1 << 20;  // of an upload beside its file

constexpr ConfigField kFields[] = {
    {.name = "host",
     .fallback = "127.0.0.1",
     .unit = "ADDRESS",
     .help = "address to listen on; one that others reach needs a key"},
    {.name = "port",
     .kind = FieldKind::kInteger,
     .fallback = "8000",
     .unit = "",
     .min = 0,
     .max = 65535,
     .help = "port to listen on; 0 takes one that is free and says which"},
    {.name = "uds", .unit = "PATH", .help = "listen on a Unix socket instead, for this user alone"},
    {.name = "served-model-name",
     .unit = "NAME[,NAME]",
     .help = "what requests call the model, the first in answers; default: as it is given"},
    {.name = "allowed-hosts",
     .unit = "HOST[,HOST]",
     .help = "names of this server in requests, besides this machine's own; * for any"},
    {.name = "allowed-origins",
     .unit = "ORIGIN[,ORIGIN]",
     .help = "web sites whose pages may read answers (CORS); * for any"},
    {.name = "log-format",
     .kind = FieldKind::kChoice,
     .fallback = "text",
     .choices = "text|json",
     .help = "how lines of the log look; prompts are never in them"},
    {.name = "metrics-old-names",
     .kind = FieldKind::kSwitch,
     .help = "let /metrics also have names that older dashboards for vLLM query"},
    {.name = "stall-timeout",
     .kind = FieldKind::kNumber,
     .fallback = "1.5",
     .unit = "seconds",
     .min = 0.1,
     .max = 3600,
     .help =
         "/health says 503 where the engine has neither computed nor read anything for so long"},
    {.name = "request-timeout",
     .kind = FieldKind::kNumber,
     .unit = "seconds",
     .min = 0.001,
     .max = 86400,
     .help = "give a request up that has not been answered so long after it came: 504, or an error "
             "at the end of its stream; default: never"},
    {.name = "shutdown-timeout",
     .kind = FieldKind::kInteger,
     .fallback = "60",
     .unit = "seconds",
     .min = 0,
     .max = 86400,
     .help = "how long answers under way may go on after SIGTERM"},
};

Result<void> check_reach(const server::HttpConfig& http) {
  if (!http.uds.empty() || server::is_loopback(http.host) || !http.keys.empty()) return {};
  return fail(Code::kInvalidArgument, "--host", http.host, "an address of this machine alone",
              "give --api-key, --api-key-file or STRATA_API_KEY to serve others too");
}

void json_sink(LogLevel level, std::string_view line) {
  constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
  write_log(server::message_line(kNames[static_cast<size_t>(level)], line));
}

void log_request(const server::AccessEntry& entry, server::LogFormat format) {
  const std::string line = server::access_line(entry, format);
  if (format == server::LogFormat::kText) return log_line(LogLevel::kInfo, line);
  write_log(line);
}

// What curl needs to be told to reach this server.
std::string curl_flags(const ServeArgs& args) {
  if (!args.http.uds.empty()) return " --unix-socket " + args.http.uds;
  if (!args.tls) return "";
  std::string flags;
  if (args.http.tls->self_signed()) flags += " --cacert " + args.tls->certificate_file;
  if (args.tls->clients == server::ClientCertificates::kRequired) {
    flags += " --cert CERTIFICATE --key KEY";
  }
  return flags;
}

// By a name that is in the certificate.
std::string curl_url(const ServeArgs& args, const std::string& url) {
  if (!args.http.uds.empty()) return "http://localhost";
  if (!args.tls) return url;
  const std::string name = args.http.tls->name_for(args.http.host);
  return name == args.http.host ? url
                                : fmt::format("https://{}{}", name, url.substr(url.rfind(':')));
}

void print_greeting(const ServeArgs& args, const std::string& url) {
  const std::string key = args.http.keys.empty() ? "" : " -H 'Authorization: Bearer KEY'";
  log_info("ready: {}", url);
  log_info(
      "try: curl{} {}/v1/chat/completions{} -H 'Content-Type: application/json' -d "
      "'{{\"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'",
      curl_flags(args), curl_url(args, url), key);
}

class Serving {
 public:
  Serving(Env& env, const ServeArgs& args)
      : env_(env), args_(args), api_(env, args.names, args.http.limits.ping_interval) {}

  Result<void> run() {
    if (args_.metrics_old_names) api_.use_old_metric_names();
    if (args_.request_timeout) api_.limit_requests(*args_.request_timeout);
    limit_keys();
    TRY(open_files());
    server_ = TRY(server::HttpServer::start(config(), server::api_routes(), api_));
    log_info("listening on {}", server_->url());
    server_->on_signal([this] { on_signal(); });
    if (args_.tls) {
      server_->renew_tls_at_hangup(
          [this] { return server::TlsContext::for_server(env_, *args_.tls); });
    }
    TRY(load());
    print_greeting(args_, server_->url());
    tell(kServiceReady);
    door_->run();
    if (files_) files_->runner().stop();
    log_info("ending");
    server_->wait_until_empty(kLastWrites);
    server_.reset();
    log_info("{}", engine::summary(session_->engine->stats()));
    return close_session(*session_, {});
  }

 private:
  server::HttpConfig config() {
    server::HttpConfig made = args_.http;
    made.counts = &api_.http();
    made.key_limits = api_.key_limits();
    if (args_.files) {
      made.limits.upload_bytes =
          static_cast<size_t>(args_.files->config.limits.file_bytes) + kFormBytes;
    }
    made.log = [format = args_.log_format](const server::AccessEntry& entry) {
      log_request(entry, format);
    };
    return made;
  }

  void limit_keys() {
    const auto any = [](const server::KeyLimit& limit) { return limit.any(); };
    if (std::ranges::none_of(args_.key_limits, any)) return;
    key_limits_.emplace(env_, args_.key_limits);
    api_.use_key_limits(*key_limits_);
  }

  // A folder that nobody named may be another server's: this one then serves without files.
  Result<void> open_files() {
    if (!args_.files) return {};
    server::FilesConfig config = args_.files->config;
    config.owners = args_.http.keys.owners();
    config.key_limits = api_.key_limits();
    files_.emplace(env_, std::move(config));
    api_.use_files(*files_);
    auto opened = files_->open_existing();
    if (opened || args_.files->named) return opened;
    log_warning("no files are kept, give --files-dir: {}", opened.error().message());
    files_->refuse(opened.error());
    return {};
  }

  Result<void> load() {
    SessionArgs session = args_.session;
    session.on_progress = [this](int64_t done, int64_t total) { api_.loading(done, total); };
    session_.emplace(TRY(open_session(env_, session)));
    model_ = {.codec = &session_->codec,
              .defaults = &session_->opened->defaults(),
              .field_defaults = &no_fields_,
              .name = args_.names.front(),
              .aliases = args_.names,
              .max_model_len = session_->engine->config().max_model_len,
              .streams = true,
              .dialog = frontend::resolve_dialog(args_.dialog, session_->codec)};
    frontend::log_dialog(model_.dialog);
    door_.emplace(env_, *session_->engine, model_);
    door_->set_stall_limit(args_.stall_timeout);
    served_.emplace(server::Served{*door_, *session_->engine, model_});
    api_.ready(*served_);
    if (files_) files_->runner().start(*served_);
    return {};
  }

  void tell(std::string_view state) {
    const auto told = tell_service_manager(env_, state);
    if (!told) log_warning("{}", told.error().message());
  }

  // On a thread of the server's.
  void on_signal() {
    if (api_.served() == nullptr) {  // loading: there is nothing to end well
      std::raise(SIGTERM);
      return;
    }
    tell(kServiceStopping);
    api_.drain();
    server_->drain();
    if (files_) files_->runner().request_stop();
    door_->close(args_.shutdown_timeout);
  }

  Env& env_;
  const ServeArgs& args_;
  const Json no_fields_ = Json::object();
  server::ApiService api_;
  // Handlers refer to what stands before the server: it goes first.
  std::optional<server::KeyLimits> key_limits_;
  std::optional<Session> session_;
  frontend::ServedModel model_;
  std::optional<server::EngineDoor> door_;
  std::optional<server::Served> served_;
  std::optional<server::FilesService> files_;
  std::unique_ptr<server::HttpServer> server_;
};

}  // namespace

FieldList serve_fields() { return kFields; }

Result<ServeArgs> make_serve_args(Env& env, const std::string& model, const FieldValues& values) {
  ServeArgs args;
  args.session.model = model;
  args.session.revision = values.text("revision");
  args.session.engine = TRY(engine::make_engine_config(values));
  args.http.host = values.text("host");
  args.http.port = static_cast<int>(values.integer("port").value_or(0));
  args.http.uds = values.text("uds");
  args.http.keys = TRY(read_keys(env, values));
  args.key_limits = args.http.keys.limits();
  if (args.http.keys.empty()) args.key_limits = {default_limit(values)};
  args.http.allowed_hosts = split_list(values.text("allowed-hosts"), ',');
  args.http.allowed_origins = split_list(values.text("allowed-origins"), ',');
  args.dialog = frontend::dialog_choice(values);
  args.names = split_list(values.text("served-model-name"), ',');
  if (args.names.empty()) args.names = {model};
  args.stall_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::duration<double>(values.number("stall-timeout").value_or(0)));
  if (const auto limit = values.number("request-timeout")) {
    args.request_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::duration<double>(*limit));
  }
  args.files = make_files_args(env, values);
  args.metrics_old_names = values.is_on("metrics-old-names");
  if (values.text("log-format") == "json") args.log_format = server::LogFormat::kJson;
  args.shutdown_timeout = std::chrono::seconds(values.integer("shutdown-timeout").value_or(0));
  TRY(check_reach(args.http));
  args.tls = TRY(make_tls_files(values));
  if (args.tls) args.http.tls = TRY(server::TlsContext::for_server(env, *args.tls));
  return args;
}

Result<void> run_serve(Env& env, const ServeArgs& args) {
  if (args.log_format == server::LogFormat::kJson) set_log_sink(json_sink);
  // The AMX permission must be asked for before any thread starts.
  engine::look_at_machine(env);
  Serving serving(env, args);
  return serving.run();
}

}  // namespace strata::apps
