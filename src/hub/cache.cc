// Paths, and files that come into being whole.
#include "hub/cache.h"

#include <algorithm>

#include "base/private_folder.h"
#include "checkpoint/hub_cache.h"

namespace strata::hub {
namespace {

// bford.info/cachedir: the first line is the tag.
constexpr std::string_view kTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This folder is a cache of models: backups may leave it out.\n";

Result<void> write_file(Env& env, const std::string& path, std::string_view text) {
  const auto file = TRY(env.open_writable(path, WriteMode::kTruncate));
  TRY(file->write(text));
  TRY(file->sync());
  return file->close();
}

}  // namespace

Cache::Cache(Env& env, std::string hub, const std::string& id)
    : env_(env), hub_(std::move(hub)), folder_(checkpoint::cached_model_folder(hub_, id)) {
  locks_ = join_path(join_path(hub_, ".locks"), folder_.substr(folder_.rfind('/') + 1));
}

std::string Cache::blob(const RemoteFile& file) const {
  return join_path(join_path(folder_, "blobs"), file.digest);
}

std::string Cache::snapshot(const std::string& commit) const {
  return join_path(join_path(folder_, "snapshots"), commit);
}

Result<void> Cache::prepare() {
  TRY(env_.make_directories(join_path(folder_, "blobs")));
  TRY(env_.make_directories(locks_));
  const std::string tag = join_path(hub_, "CACHEDIR.TAG");
  if (!env_.exists(tag)) TRY(write_file(env_, tag, kTag));
  return {};
}

bool Cache::holds(const RemoteFile& file, const std::string& commit) {
  for (const std::string& path : {blob(file), join_path(snapshot(commit), file.path)}) {
    const auto open = env_.open_readable(path);
    if (open && (*open)->size() == file.bytes) return true;
  }
  return false;
}

Result<std::unique_ptr<WritableFile>> Cache::lock(const RemoteFile& file) {
  auto held = TRY(env_.open_writable(join_path(locks_, file.digest + ".lock"), WriteMode::kAppend));
  TRY(held->lock());
  return held;
}

Result<void> Cache::link(const RemoteFile& file, const std::string& commit) {
  const std::string path = join_path(snapshot(commit), file.path);
  TRY(env_.make_directories(parent_path(path)));
  if (!env_.exists(blob(file))) return {};
  std::string up = "../../";
  for (const char c : file.path) up += c == '/' ? "../" : "";
  return make_link(up + "blobs/" + file.digest, path);
}

Result<void> Cache::write_ref(const std::string& revision, const std::string& commit) {
  if (revision == commit) return {};
  const std::string path = join_path(join_path(folder_, "refs"), revision);
  TRY(env_.make_directories(parent_path(path)));
  const std::string fresh = path + ".incomplete";
  TRY(write_file(env_, fresh, commit));
  return env_.rename_file(fresh, path);
}

}  // namespace strata::hub
