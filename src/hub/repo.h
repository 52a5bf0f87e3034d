// What the hub says a model's repository holds at a commit, and which of it Strata runs. Pure: from
// text to values, nothing is fetched or written. The text is untrusted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata::hub {

/// How a file's content is named: large files by their SHA-256, others as git names them, by the
/// SHA-1 of "blob <bytes>\0" and the content.
enum class DigestKind : uint8_t { kSha256, kGitSha1 };

struct RemoteFile {
  std::string path;  // within the repository, checked: "config.json", "a/b.jinja"
  uint64_t bytes = 0;
  DigestKind kind = DigestKind::kGitSha1;
  std::string digest;  // hexadecimal; the blob's name in the cache
};

struct Repo {
  std::string commit;
  std::vector<RemoteFile> files = {};
};

/// The answer of GET /api/models/org/name/revision/R?blobs=true. kInvalidData for anything that it
/// should not hold: paths that leave the folder, digests that are none, a file twice.
Result<Repo> parse_repo(std::string_view text, const std::string& name);

struct Patterns {
  std::vector<std::string> include = {};  // empty: what Strata runs
  std::vector<std::string> exclude = {};
};

struct Selection {
  std::vector<RemoteFile> documents;  // configuration, tokenizer, templates, the index of shards
  std::vector<RemoteFile> weights;
  std::vector<std::string> left_out;
};

/// Globs are those of the hub's tools: "*" also stands for "/". With `include` all that match are
/// documents. Which weights an index wants is keep_indexed()'s question: here they are all root
/// *.safetensors, or model.safetensors alone where it is there.
Selection select_files(const Repo& repo, const Patterns& patterns);

/// Keeps the weights that the index names, moves the others to left_out. kInvalidData where one
/// that it names is not in the repository.
Result<void> keep_indexed(Selection& selection, const std::vector<std::string>& shards);

inline constexpr std::string_view kIndexName = "model.safetensors.index.json";

}  // namespace strata::hub
