// From flags and the hub's own variables to options, and what the user sees meanwhile.
#include "apps/pull/pull.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "apps/byte_progress.h"
#include "apps/interrupt.h"
#include "apps/standard_output.h"
#include "base/log.h"
#include "checkpoint/hub_cache.h"
#include "checkpoint/model_folder.h"
#include "memory/account.h"

namespace strata::apps {
namespace {

using memory::format_bytes;

constexpr size_t kNamed = 5;  // of the files that are left out

constexpr ConfigField kFields[] = {
    {.name = "revision",
     .fallback = "main",
     .unit = "NAME",
     .help = "branch, tag or commit to download"},
    {.name = "include",
     .unit = "GLOB[,GLOB]",
     .help = "files to download instead of what Strata runs: '*' is all of them"},
    {.name = "exclude", .unit = "GLOB[,GLOB]", .help = "files to leave out"},
    {.name = "token-file",
     .unit = "FILE",
     .help = "file with a token of the hub; otherwise HF_TOKEN, or what the hub's login left"},
    {.name = "jobs",
     .kind = FieldKind::kInteger,
     .fallback = "8",
     .unit = "connections",
     .min = 1,
     .max = 64,
     .help = "how many pieces are downloaded at once"},
    {.name = "timeout",
     .kind = FieldKind::kInteger,
     .fallback = "30",
     .unit = "seconds",
     .min = 1,
     .max = 3600,
     .help = "a connection without a byte for so long is tried anew"},
    {.name = "offline",
     .kind = FieldKind::kSwitch,
     .help = "only look whether all is in the local cache, as with HF_HUB_OFFLINE=1"},
    {.name = "endpoint",
     .unit = "URL",
     .help = "the hub; otherwise HF_ENDPOINT, or https://huggingface.co"},
};

std::vector<std::string> globs(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// As the hub's own tools read their switches.
bool is_on(Env& env, const std::string& variable) {
  const std::string value = env.get_env(variable).value_or("");
  return value == "1" || value == "true" || value == "TRUE" || value == "True" || value == "yes" ||
         value == "YES" || value == "on" || value == "ON";
}

void print_report(const ByteProgress& progress, const hub::PullReport& report) {
  progress.finish();
  log_info("{} in {} files, commit {}; {:.1f} s", format_bytes(report.bytes), report.files,
           report.commit, progress.seconds());
  if (report.left_out.empty()) return;
  const size_t named = std::min(kNamed, report.left_out.size());
  std::string names;
  for (size_t i = 0; i < named; i++) names += (i == 0 ? "" : ", ") + report.left_out[i];
  if (named < report.left_out.size()) {
    names += fmt::format(" and {} more", report.left_out.size() - named);
  }
  log_info("left out: {}", names);
}

}  // namespace

FieldList pull_fields() { return kFields; }

Result<hub::PullOptions> make_pull_args(Env& env, const std::string& model,
                                        const FieldValues& values) {
  if (!checkpoint::is_hub_id(model)) {
    return fail(Code::kInvalidArgument, "strata pull", fmt::format("\"{}\"", model),
                "a model of the hub, as org/name");
  }
  hub::PullOptions options{.id = model, .revision = values.text("revision")};
  if (!checkpoint::is_safe_relative_name(options.revision)) {
    return fail(Code::kInvalidArgument, "--revision", fmt::format("\"{}\"", options.revision),
                "a branch, tag or commit");
  }
  options.patterns = {globs(values.text("include")), globs(values.text("exclude"))};
  options.jobs = static_cast<int>(values.integer("jobs").value_or(1));
  options.offline =
      values.is_on("offline") || is_on(env, "HF_HUB_OFFLINE") || is_on(env, "TRANSFORMERS_OFFLINE");
  options.hub.http.timeout_s = values.integer("timeout").value_or(1);
  options.hub.http.ca_file = env.get_env("SSL_CERT_FILE").value_or("");
  if (options.offline) return options;
  options.hub.token = TRY(hub::find_token(env, values.text("token-file")));
  std::string endpoint = values.text("endpoint");
  if (endpoint.empty()) endpoint = env.get_env("HF_ENDPOINT").value_or("");
  if (endpoint.empty()) endpoint = hub::kDefaultEndpoint;
  options.hub.endpoint =
      TRY(hub::checked_endpoint(std::move(endpoint), !options.hub.token.empty()));
  return options;
}

Result<void> run_pull(Env& env, hub::PullOptions options) {
  watch_interrupts();
  ByteProgress progress(env);
  options.hub.http.stopped = [] { return interrupted(); };
  options.progress = [&](int64_t done, int64_t kept, int64_t total) {
    progress.show(done, kept, total);
  };
  options.note = [](const std::string& note) { log_info("{}", note); };
  auto pulled = hub::pull_model(env, options);
  if (!pulled) {
    progress.finish();
    return std::unexpected(std::move(pulled).error());
  }
  print_report(progress, *pulled);
  return write_stdout(pulled->snapshot + "\n");
}

}  // namespace strata::apps
