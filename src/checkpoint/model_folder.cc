// Resolution of names to folders, and the containment rule.
#include "checkpoint/model_folder.h"

#include <fmt/format.h>

#include <algorithm>

#include "checkpoint/file_kind.h"
#include "checkpoint/hub_cache.h"
#include "checkpoint/pack_file.h"

namespace strata::checkpoint {
namespace {

constexpr uint64_t kMaxRefBytes = 256;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view parent_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

bool is_below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) &&
         (folder.ends_with('/') || path[folder.size()] == '/');
}

// For ".../models--org--name/snapshots/<commit>": ".../models--org--name/blobs"; else empty.
std::string blobs_of(std::string_view folder) {
  const std::string_view snapshots = parent_of(folder);
  const std::string_view model = parent_of(snapshots);
  if (base_name(snapshots) != "snapshots" || !base_name(model).starts_with("models--")) return {};
  return join_path(model, "blobs");
}

struct CachedModel {
  std::string id;
  std::string revision;  // as asked for
  std::string folder;    // models--org--name
};

std::string download_hint(const std::string& id, const std::string& revision) {
  std::string hint = "download it with `strata pull " + id;
  if (revision != "main") hint += " --revision " + revision;
  return hint + "`";
}

std::unexpected<Status> not_cached(const CachedModel& model, std::string problem) {
  return fail(Code::kNotFound, model.id + ": " + std::move(problem), {}, {},
              download_hint(model.id, model.revision));
}

// A branch or tag is a file that holds a commit; a commit is a snapshot's own name.
Result<std::string> commit_of(Env& env, const CachedModel& model) {
  const std::string ref = join_path(join_path(model.folder, "refs"), model.revision);
  if (!env.exists(ref) || env.is_directory(ref)) {
    if (is_commit(model.revision)) return model.revision;
    return not_cached(model, "revision \"" + model.revision + "\" is not in the local cache");
  }
  std::string commit = TRY(env.read_small_file(ref, kMaxRefBytes));
  while (commit.ends_with('\n') || commit.ends_with(' ')) commit.pop_back();
  if (!is_commit(commit)) {
    return fail(Code::kInvalidData, ref, "\"" + commit + "\"", "a commit's hexadecimal number");
  }
  return commit;
}

// A path that exists: a folder is what we want, a file is worth a specific answer.
Result<ModelSource> resolve_path(Env& env, const std::string& path, const std::string& revision) {
  if (!env.is_directory(path)) {
    const auto file = TRY(env.open_readable(path));
    if (is_gguf(*file)) return std::unexpected(gguf_not_supported(path));
    if (!is_pack(*file)) {
      return fail(Code::kInvalidArgument, path, "a file that is no pack",
                  "a model's folder or pack", "give the folder that holds config.json");
    }
  }
  if (!revision.empty()) {
    return fail(Code::kInvalidArgument, "revision", revision, "none for a model given by its path",
                "revisions belong to models of the cache (org/name)");
  }
  return ModelSource{TRY(env.canonical_path(path)), path, {}, !env.is_directory(path)};
}

// From the folder of the program: as `cmake --install` lays things out, then as a build tree does.
constexpr std::string_view kEmbeddedFolders[] = {"../share/strata/models", "../../models"};

Result<ModelSource> resolve_embedded(Env& env, const std::string& revision) {
  if (!revision.empty()) {
    return fail(Code::kInvalidArgument, "revision", revision, "none for the model of the program");
  }
  const std::string program = TRY(env.canonical_path("/proc/self/exe"));
  const std::string_view beside = parent_of(program);
  for (const std::string_view folder : kEmbeddedFolders) {
    const std::string path = join_path(join_path(beside, folder), kEmbeddedModel);
    if (env.is_directory(path)) {
      return ModelSource{TRY(env.canonical_path(path)), std::string(kEmbeddedModel), {}, false};
    }
  }
  return fail(Code::kNotFound,
              fmt::format("{}: the model that comes with Strata is not there", kEmbeddedModel), {},
              fmt::format("{}", join_path(join_path(beside, kEmbeddedFolders[0]), kEmbeddedModel)),
              "install with `cmake --install`, or give a model's folder");
}

}  // namespace

bool is_safe_relative_name(const std::string& name) {
  if (name.empty() || name.size() > 255) return false;
  size_t start = 0;
  while (start <= name.size()) {
    const size_t slash = std::min(name.find('/', start), name.size());
    const std::string_view part = std::string_view(name).substr(start, slash - start);
    if (part.empty() || part == "." || part == "..") return false;
    if (!std::ranges::all_of(part, is_name_char)) return false;
    start = slash + 1;
  }
  return true;
}

Result<ModelSource> resolve_cached_model(Env& env, const std::string& id,
                                         const std::string& revision) {
  const std::string hub = hub_cache_folder(env);
  if (hub.empty()) {
    return fail(Code::kNotFound, id + ": no such folder, and no Hugging Face cache to look in", {},
                {}, "set HF_HUB_CACHE, HF_HOME or HOME");
  }
  const CachedModel model{id, revision, cached_model_folder(hub, id)};
  if (!env.is_directory(model.folder)) {
    return not_cached(model, "no such folder, and not in the local cache " + hub);
  }
  const std::string commit = TRY(commit_of(env, model));
  const std::string snapshot = join_path(join_path(model.folder, "snapshots"), commit);
  if (!env.is_directory(snapshot)) {
    return not_cached(model, "snapshot " + commit + " is missing from the local cache");
  }
  return ModelSource{TRY(env.canonical_path(snapshot)), id, commit, false};
}

Result<ModelSource> resolve_model(Env& env, const std::string& model, const std::string& revision) {
  if (model.empty()) {
    return fail(Code::kInvalidArgument, "model", "an empty name", "a folder or org/name");
  }
  if (!revision.empty() && !is_safe_relative_name(revision)) {
    return fail(Code::kInvalidArgument, "revision", revision, "a branch, tag or commit");
  }
  if (env.exists(model)) return resolve_path(env, model, revision);
  if (model == kEmbeddedModel) return resolve_embedded(env, revision);
  if (is_hub_id(model))
    return resolve_cached_model(env, model, revision.empty() ? "main" : revision);
  return fail(Code::kNotFound, model + ": no such folder", {}, {},
              "give the folder of a Hugging Face model, or org/name from the local cache");
}

Status named_in_folder(Status failure, const std::string& path, const std::string& name) {
  if (failure.what.starts_with(path)) failure.what.replace(0, path.size(), name);
  return failure;
}

Result<std::string> path_in_folder(Env& env, const std::string& folder, const std::string& name) {
  const std::string root = TRY(env.canonical_path(folder));
  const std::string joined = join_path(root, name);
  auto path = env.canonical_path(joined);
  if (!path && path.error().code != Code::kNotFound) {
    return std::unexpected(named_in_folder(std::move(path).error(), joined, name));
  }
  if (!path) {
    return fail(Code::kNotFound, name + ": missing, or a link to a file that is not there", {}, {},
                "the download is incomplete; download the model again");
  }
  const std::string blobs = blobs_of(root);
  if (is_below(*path, root) || (!blobs.empty() && is_below(*path, blobs))) return *path;
  return fail(Code::kInvalidData, name, "a link out of the model folder", "a file inside it",
              "only a cached model's own blobs may lie outside its folder");
}

}  // namespace strata::checkpoint
