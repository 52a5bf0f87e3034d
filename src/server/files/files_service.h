// All that the routes of files and batches share: the folder, the stores, the runner, and the
// thread that waits for the disk in their place. Made by the command that serves.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "server/files/batch_runner.h"
#include "server/files/batch_store.h"
#include "server/files/file_store.h"
#include "server/files/state_folder.h"

namespace strata::server {

namespace asio = boost::asio;

class Exchange;
class Service;

struct FilesConfig {
  std::string folder;
  FileLimits limits = {};
  std::vector<std::string> owners = {};  // of the server's keys; none: everything is one owner's
  KeyLimits* key_limits = nullptr;       // of the same; null: there are none
};

class FilesService {
 public:
  static constexpr int64_t kMostUploads = 16;  // at a time

  FilesService(Env& env, FilesConfig config);

  /// Before the server starts: takes in what an earlier one left. A folder that is not there is
  /// made by the first upload.
  Result<void> open_existing();
  /// Files cannot be kept, and why: every call from now on says so.
  void refuse(const Status& why) { fault_ = StateFolder::shown(why); }
  /// kUnavailable and the like where files cannot be kept. Waits for the disk.
  Result<void> ready();
  /// The same, without making a folder.
  Result<void> usable() const;

  /// Whose files a request with this key sees.
  std::string owner(std::optional<size_t> key) const;
  FileStore& files() { return files_; }
  BatchStore& batches() { return batches_; }
  BatchRunner& runner() { return runner_; }
  std::atomic<int64_t>& uploads() { return uploads_; }
  /// Calls `work` on the thread that may wait for the disk; handlers go on when it has returned.
  asio::awaitable<void> on_disk(std::function<void()> work);

 private:
  Result<void> open();

  const FilesConfig config_;
  StateFolder folder_;
  FileStore files_;
  BatchStore batches_;
  BatchRunner runner_;
  std::mutex opening_;
  std::atomic<bool> open_ = false;
  std::optional<Status> fault_;  // set before the server starts
  std::atomic<int64_t> uploads_ = 0;
  asio::thread_pool disk_{1};
};

}  // namespace strata::server
