// Every name and number of the listing is checked here, before it becomes a path or a size.
#include "hub/repo.h"

#include <fmt/core.h>
#include <fnmatch.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "base/json.h"
#include "checkpoint/hub_cache.h"

namespace strata::hub {
namespace {

constexpr size_t kMaxPath = 1024;
constexpr size_t kMaxPart = 255;  // what file systems take
constexpr int64_t kMaxFileBytes = int64_t{1} << 50;
constexpr size_t kCommitDigits = 40, kSha256Digits = 64;
constexpr std::string_view kSingleName = "model.safetensors";

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && checkpoint::is_commit(text);
}

// Below the snapshot's folder wherever it is put: no root, no way up, nothing a terminal obeys.
bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPath) return false;
  const auto bad = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; };
  if (std::ranges::any_of(path, bad)) return false;
  for (size_t start = 0; start <= path.size();) {
    const size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == ".." || part.size() > kMaxPart) return false;
    start = end + 1;
  }
  return true;
}

Result<RemoteFile> parse_file(const Json& entry) {
  RemoteFile file;
  file.path = TRY(get_string(entry, "rfilename"));
  if (!is_safe_path(file.path)) {
    return fail(Code::kInvalidData, "rfilename", fmt::format("\"{}\"", file.path),
                "a path within the repository",
                "nothing was written; this server is not to be trusted");
  }
  const Json* lfs = TRY(in_file(file.path, optional_object(entry, "lfs")));
  file.bytes = static_cast<uint64_t>(
      TRY(in_file(file.path, get_int(lfs != nullptr ? *lfs : entry, "size", 0, kMaxFileBytes))));
  file.kind = lfs != nullptr ? DigestKind::kSha256 : DigestKind::kGitSha1;
  file.digest = lfs != nullptr ? TRY(in_file(file.path, get_string(*lfs, "sha256")))
                               : TRY(in_file(file.path, get_string(entry, "blobId")));
  if (is_hex(file.digest, lfs != nullptr ? kSha256Digits : kCommitDigits)) return file;
  return fail(Code::kInvalidData, file.path + ": digest", fmt::format("\"{}\"", file.digest),
              lfs != nullptr ? "a SHA-256" : "a SHA-1");
}

bool ends_in(std::string_view path, std::initializer_list<std::string_view> endings) {
  return std::ranges::any_of(endings, [&](auto ending) { return path.ends_with(ending); });
}

// What model_documents.cc reads, and what other programs need of the same folder and is as small.
bool is_document(std::string_view path) {
  if (path.starts_with("additional_chat_templates/")) return path.ends_with(".jinja");
  if (path.contains('/')) return false;
  return ends_in(path, {".json", ".jinja", ".model", ".txt"}) || path.starts_with("LICENSE");
}

bool is_weights(std::string_view path) {
  return !path.contains('/') && path.ends_with(".safetensors");
}

bool matches(const std::vector<std::string>& globs, const std::string& path) {
  return std::ranges::any_of(
      globs, [&](const auto& glob) { return fnmatch(glob.c_str(), path.c_str(), 0) == 0; });
}

}  // namespace

Result<Repo> parse_repo(std::string_view text, const std::string& name) {
  constexpr JsonLimits kLimits{.max_bytes = 64 << 20, .max_values = 5'000'000};
  const Json document = TRY(parse_json_object(text, name, kLimits));
  Repo repo;
  repo.commit = TRY(in_file(name, get_string(document, "sha")));
  if (!is_hex(repo.commit, kCommitDigits)) {
    return fail(Code::kInvalidData, name + ": sha", fmt::format("\"{}\"", repo.commit),
                "a commit of 40 digits");
  }
  std::set<std::string_view> seen;
  for (const Json& entry : *TRY(in_file(name, get_array(document, "siblings")))) {
    repo.files.push_back(TRY(in_file(name, parse_file(entry))));
  }
  for (const RemoteFile& file : repo.files) {
    if (seen.insert(file.path).second) continue;
    return fail(Code::kInvalidData, fmt::format("{}: {} is listed twice", name, file.path));
  }
  return repo;
}

Selection select_files(const Repo& repo, const Patterns& patterns) {
  Selection chosen;
  const bool single = std::ranges::any_of(
      repo.files, [&](const RemoteFile& file) { return file.path == kSingleName; });
  for (const RemoteFile& file : repo.files) {
    if (matches(patterns.exclude, file.path)) {
      chosen.left_out.push_back(file.path);
    } else if (!patterns.include.empty()) {
      const bool wanted = matches(patterns.include, file.path);
      wanted ? chosen.documents.push_back(file) : chosen.left_out.push_back(file.path);
    } else if (is_document(file.path)) {
      chosen.documents.push_back(file);
    } else if (is_weights(file.path) && (!single || file.path == kSingleName)) {
      chosen.weights.push_back(file);
    } else {
      chosen.left_out.push_back(file.path);
    }
  }
  return chosen;
}

Result<void> keep_indexed(Selection& selection, const std::vector<std::string>& shards) {
  for (const std::string& shard : shards) {
    if (std::ranges::find(selection.weights, shard, &RemoteFile::path) != selection.weights.end() ||
        std::ranges::find(selection.left_out, shard) != selection.left_out.end()) {
      continue;
    }
    return fail(Code::kInvalidData, fmt::format("{}: names {}", kIndexName, shard),
                "no such file in the repository");
  }
  const auto unnamed = [&](const RemoteFile& file) {
    return std::ranges::find(shards, file.path) == shards.end();
  };
  for (const RemoteFile& file : selection.weights) {
    if (unnamed(file)) selection.left_out.push_back(file.path);
  }
  std::erase_if(selection.weights, unnamed);
  return {};
}

}  // namespace strata::hub
