// Files that clients have uploaded, and those that batches have made: what each is, whose, and
// where its bytes lie. Between the routes and the folder; it reads no content.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "server/files/state_folder.h"

namespace strata::server {

struct StoredFile {
  std::string id;     // "file-" and 32 random digits; also the name of its bytes
  std::string owner;  // whose key it is; empty where the server asks for none
  std::string filename;
  std::string purpose;  // "batch" or "batch_output"
  int64_t bytes = 0;
  int64_t created_s = 0;
};

/// OpenAI's file object.
Json file_json(const StoredFile& file);

struct FileLimits {
  int64_t file_bytes = 512 << 20;
  int64_t all_bytes = int64_t{16} << 30;  // of uploads; what batches write comes on top
  int64_t files = 1000;                   // of an owner's uploads
};

/// Thread-safe; calls that change something wait for the disk.
class FileStore {
 public:
  /// The folder must outlive the store, and be open before any other call.
  FileStore(StateFolder& folder, const FileLimits& limits) : folder_(folder), limits_(limits) {}

  /// Takes in what an earlier server left, and removes what it had not finished but for the files
  /// named.
  Result<void> load(const std::set<std::string>& keep);

  /// Bytes on their way in. Gone without a trace unless finished.
  class Upload {
   public:
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;
    ~Upload();
    /// kResourceLimit where a limit is reached; naming it.
    Result<void> write(std::string_view bytes);
    Result<StoredFile> finish(std::string filename, std::string purpose);

   private:
    friend class FileStore;
    Upload(FileStore& store, StoredFile file) : store_(store), file_(std::move(file)) {}

    FileStore& store_;
    StoredFile file_;
    std::unique_ptr<WritableFile> out_;
    bool finished_ = false;
  };
  Result<std::unique_ptr<Upload>> begin(const std::string& owner);

  /// Makes a file of what lies under `name` in the folder; nothing where that has happened before.
  Result<void> adopt(const std::string& name, StoredFile file);

  /// kNotFound for what is not there and for what is another's, in the same words.
  Result<StoredFile> find(const std::string& owner, const std::string& id) const;
  /// Newest first.
  std::vector<StoredFile> list(const std::string& owner) const;
  Result<void> remove(const std::string& owner, const std::string& id);
  std::string path(const StoredFile& file) const { return folder_.path(file.id); }
  const FileLimits& limits() const { return limits_; }
  static std::string new_id();

 private:
  Result<void> reserve(const std::string& owner, int64_t bytes);
  void release(int64_t bytes);
  Result<void> publish(const std::string& name, const StoredFile& file);

  StateFolder& folder_;
  const FileLimits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, StoredFile> files_;
  int64_t uploaded_bytes_ = 0;  // of uploads, also of those under way
};

}  // namespace strata::server
