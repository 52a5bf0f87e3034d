// The folder that files and batches live in: records of JSON that are there whole or not at all,
// beside files. One process at a time has it. What records mean is file_store.h's and
// batch_store.h's; names are made here or by them, never by clients.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/status.h"

namespace strata::server {

/// Failures say what the system said and no path: they are shown to clients. The log has the path.
class StateFolder {
 public:
  /// Nothing is touched until open(). Both must outlive the folder.
  StateFolder(Env& env, std::string path) : env_(env), path_(std::move(path)) {}

  /// Creates it where it is missing, for this user alone. kUnavailable where another process has
  /// it, kInvalidData where others may enter it.
  Result<void> open();
  bool exists() const { return env_.is_directory(path_); }

  struct Record {
    std::string name;  // without its ending
    Json value;
  };
  /// Of all records; one that is damaged is left out, and the log says so.
  Result<std::vector<Record>> read_records(std::string_view prefix) const;
  /// On the disk when it returns; a failure leaves what was there.
  Result<void> write_record(const std::string& name, const Json& value);
  Result<void> remove_record(const std::string& name) { return remove(name + ".json"); }

  /// Of all that lies there.
  Result<std::vector<std::string>> names() const;
  std::string path(const std::string& name) const { return join_path(path_, name); }
  Result<void> rename(const std::string& from, const std::string& to);
  Result<void> remove(const std::string& name);
  bool has(const std::string& name) const { return env_.exists(path(name)); }
  Env& env() const { return env_; }

  /// The failure as a client may see it.
  static Status shown(const Status& status);

 private:
  Result<void> write_whole(const std::string& name, const std::string& text);

  Env& env_;
  const std::string path_;
  std::unique_ptr<WritableFile> lock_;
};

}  // namespace strata::server
