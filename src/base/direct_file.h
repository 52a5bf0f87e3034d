// What both read queues share: files opened past the page cache where possible, and the way of one
// request through as many system calls as it takes. For read_queue.cc and its two implementations
// only.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/read_queue.h"

namespace strata {

/// An open file of a queue; closes its descriptor.
class DirectFile {
 public:
  /// O_DIRECT where `direct` is wanted and a read of one block succeeds with it, buffered
  /// otherwise.
  static Result<DirectFile> open(const std::string& path, bool direct);
  DirectFile(DirectFile&& other) noexcept;
  DirectFile& operator=(DirectFile&&) = delete;
  ~DirectFile();

  int fd() const { return fd_; }
  bool direct() const { return direct_; }
  const std::string& path() const { return path_; }
  /// Where reads go through the page cache: drops what was read, for it will not be read again
  /// soon.
  void drop_behind(uint64_t offset, size_t bytes) const;

 private:
  DirectFile(std::string path, int fd, bool direct)
      : path_(std::move(path)), fd_(fd), direct_(direct) {}

  std::string path_;
  int fd_ = -1;
  bool direct_ = false;
};

/// A request on its way. A read that ends inside a block goes on from that block's start, because
/// O_DIRECT reads only whole ones.
struct ReadProgress {
  ReadRequest request;
  size_t filled = 0;

  size_t start() const { return filled / kDirectBlock * kDirectBlock; }
  size_t length(size_t most) const;
  /// Takes what a read of [start(), start() + length()) returned: bytes, or a negative errno. The
  /// outcome once there is one; otherwise read again.
  std::optional<ReadOutcome> take(ssize_t result, const DirectFile& file);
};

struct OpenedFiles {
  std::vector<DirectFile> files;
  std::string kind;  // "O_DIRECT", or why the page cache is used
};
Result<OpenedFiles> open_direct_files(const ReadQueueConfig& config);

Result<std::unique_ptr<ReadQueue>> open_pread_queue(const ReadQueueConfig& config);
/// kUnavailable where the kernel (or the build) has no io_uring for us.
Result<std::unique_ptr<ReadQueue>> open_uring_queue(const ReadQueueConfig& config);

}  // namespace strata
