// A model's place in the hub's cache, laid out as Python's huggingface_hub does: contents under
// blobs/ by digest, a snapshot of links for each commit, refs/ from branches to commits.
#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "base/status.h"
#include "hub/repo.h"

namespace strata::hub {

class Cache {
 public:
  /// `hub`: the cache's folder; `id`: org/name.
  Cache(Env& env, std::string hub, const std::string& id);

  const std::string& hub() const { return hub_; }
  std::string blob(const RemoteFile& file) const;
  std::string incomplete(const RemoteFile& file) const { return blob(file) + ".incomplete"; }
  std::string snapshot(const std::string& commit) const;

  /// The folders, and the tag that tells backups to leave the cache out.
  Result<void> prepare();
  /// Whether the blob, or the file itself in the snapshot, is there with all of its bytes.
  bool holds(const RemoteFile& file, const std::string& commit);
  /// Held until it is destroyed; the hub's own tools wait for it too. kBusy where another has it.
  Result<std::unique_ptr<WritableFile>> lock(const RemoteFile& file);
  /// The snapshot's name for a blob. A file that is no link stays where it is.
  Result<void> link(const RemoteFile& file, const std::string& commit);
  /// From now on the revision means this commit. Nothing for a commit itself.
  Result<void> write_ref(const std::string& revision, const std::string& commit);

 private:
  Env& env_;
  std::string hub_, folder_, locks_;
};

}  // namespace strata::hub
