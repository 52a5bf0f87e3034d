// Documents first: the index among them says which weights there are to fetch.
#include "hub/pull.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "checkpoint/hub_cache.h"
#include "checkpoint/model_folder.h"
#include "checkpoint/shard_index.h"
#include "hub/cache.h"
#include "hub/download.h"

namespace strata::hub {
namespace {

constexpr std::string_view kSingleName = "model.safetensors";
constexpr std::string_view kConfigName = "config.json";
constexpr uint64_t kMaxTokenBytes = 4096;

bool has(const std::vector<RemoteFile>& files, std::string_view path) {
  return std::ranges::find(files, path, &RemoteFile::path) != files.end();
}

// What the snapshot's index names; nothing where there is none.
Result<std::vector<std::string>> indexed_shards(Env& env, const std::string& snapshot) {
  const std::string path = join_path(snapshot, kIndexName);
  if (!env.exists(path)) return std::vector<std::string>();
  const auto file = TRY(env.open_readable(path));
  return TRY(checkpoint::ShardIndex::read(*file, kIndexName)).shards();
}

Result<void> check_runnable(const std::string& id, const Selection& chosen) {
  constexpr std::string_view kHint = "--include '*' fetches it all the same";
  if (!has(chosen.documents, kConfigName)) {
    return fail(Code::kUnsupported, id + ": no config.json", {}, "a model that Strata runs",
                std::string(kHint));
  }
  if (has(chosen.weights, kSingleName) || has(chosen.documents, kIndexName)) return {};
  return fail(Code::kUnsupported, id + ": weights", "no model.safetensors and no index of shards",
              "a model as safetensors", std::string(kHint));
}

Result<PullReport> look_offline(Env& env, const PullOptions& options) {
  const auto source = TRY(checkpoint::resolve_cached_model(env, options.id, options.revision));
  PullReport report{.snapshot = source.folder, .commit = source.revision};
  std::vector<std::string> wanted = {std::string(kConfigName)};
  if (env.exists(join_path(source.folder, kSingleName))) {
    wanted.emplace_back(kSingleName);
  } else {
    const auto shards = TRY(indexed_shards(env, source.folder));
    if (shards.empty()) wanted.emplace_back(kSingleName);
    wanted.insert(wanted.end(), shards.begin(), shards.end());
  }
  for (const std::string& name : wanted) {
    const auto file = env.open_readable(join_path(source.folder, name));
    if (!file) {
      return fail(Code::kNotFound, fmt::format("{}: {} is not in the cache", options.id, name), {},
                  {}, fmt::format("run strata pull {} without --offline", options.id));
    }
    report.files++;
    report.bytes += static_cast<int64_t>((*file)->size());
  }
  return report;
}

}  // namespace

Result<PullReport> pull_model(Env& env, const PullOptions& options) {
  if (options.offline) return look_offline(env, options);
  const std::string hub = checkpoint::hub_cache_folder(env);
  if (hub.empty()) {
    return fail(Code::kNotFound, "no folder for the cache", {}, {},
                "set HF_HUB_CACHE, HF_HOME or HOME");
  }
  HubClient client(options.hub);
  const Repo repo = TRY(client.list(options.id, options.revision));
  Selection chosen = select_files(repo, options.patterns);
  const bool all = !options.patterns.include.empty();
  if (!all) TRY(check_runnable(options.id, chosen));
  Cache cache(env, hub, options.id);
  const DownloadPlan plan{options.hub,  options.id,       repo.commit,
                          options.jobs, options.progress, options.note};
  const std::string snapshot = cache.snapshot(repo.commit);
  TRY(download_files(env, cache, plan, chosen.documents));
  if (!all && !has(chosen.weights, kSingleName)) {
    const auto shards = TRY(indexed_shards(env, snapshot));
    TRY(keep_indexed(chosen, shards));
  }
  TRY(download_files(env, cache, plan, chosen.weights));
  TRY(cache.write_ref(options.revision, repo.commit));
  PullReport report{.snapshot = snapshot, .commit = repo.commit};
  for (const auto* files : {&chosen.documents, &chosen.weights}) {
    for (const RemoteFile& file : *files) report.bytes += static_cast<int64_t>(file.bytes);
    report.files += static_cast<int64_t>(files->size());
  }
  report.left_out = std::move(chosen.left_out);
  return report;
}

Result<std::string> find_token(Env& env, const std::string& file) {
  std::string text, path = file;
  if (path.empty()) {
    text = env.get_env("HF_TOKEN").value_or("");
    path = checkpoint::non_empty_env(env, "HF_TOKEN_PATH")
               .value_or(join_path(checkpoint::hub_home_folder(env), "token"));
    path = checkpoint::expand_home(env, path);
    if (text.empty() && !env.exists(path)) return text;
  }
  if (text.empty()) text = TRY(env.read_small_file(path, kMaxTokenBytes));
  const std::string_view kBlank = " \t\r\n";
  const size_t first = std::min(text.find_first_not_of(kBlank), text.size());
  text = text.substr(first, text.find_last_not_of(kBlank) + 1 - first);
  const auto odd = [](unsigned char c) { return c <= 0x20 || c >= 0x7f; };
  if (!text.empty() && std::ranges::none_of(text, odd)) return text;
  return fail(Code::kInvalidData, (file.empty() ? "HF_TOKEN or " : "") + path, "no token",
              "one word, as hf_...");
}

}  // namespace strata::hub
