// The only door to files, the clock and the environment: everything above asks an Env, so that a
// test can put a faulty one in its place (fault_env.h). Opening never blocks: what is not a regular
// file is refused at once. Paths are taken as given; which paths are allowed is the caller's
// question (checkpoint/model_folder.h). Nothing here knows file formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/read_queue.h"
#include "base/status.h"

namespace strata {

/// An open regular file. All methods may be called from many threads at once; closed on
/// destruction.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  /// Bytes at the time of opening.
  virtual uint64_t size() const = 0;
  /// Fills all of `out` from `offset` (bytes), or fails: kIo for a refused read, kInvalidData where
  /// the file ends early.
  virtual Result<void> read_at(uint64_t offset, std::span<std::byte> out) const = 0;
  /// Lets the page cache forget a range, which is charged to who read it, and up to 2 MiB before
  /// and behind it.
  virtual void drop_cached(uint64_t, uint64_t) const {}
};

/// A file being written by one thread, from front to back or by offsets. Destruction closes without
/// reporting: call close().
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  /// Writes all of `data` behind what was written or fails; a full disk is kIo and says so.
  virtual Result<void> write(std::span<const std::byte> data) = 0;
  /// Writes over bytes that are there, or behind the end; not for files opened to append.
  virtual Result<void> write_at(uint64_t offset, std::span<const std::byte> data) = 0;
  /// Starts to bring a range to the disk, and returns.
  virtual Result<void> flush_range(uint64_t offset, uint64_t bytes) = 0;
  /// Returns once the range has been written back, and lets the page cache forget it. Only sync()
  /// promises that it survives a power failure.
  virtual Result<void> drop_cached(uint64_t offset, uint64_t bytes) = 0;
  /// Until it is closed no other process can lock the file; kBusy where one has.
  virtual Result<void> lock() = 0;
  /// Returns once the data is on the disk.
  virtual Result<void> sync() = 0;
  /// Reports errors that the operating system delayed; further writes fail.
  virtual Result<void> close() = 0;

  Result<void> write(std::string_view text) { return write(std::as_bytes(std::span(text))); }
};

/// kKeep: what is there stays; write_at() changes it.
enum class WriteMode { kTruncate, kAppend, kKeep };

/// Thread-safe. Every Status starts with the path it was asked for.
class Env {
 public:
  virtual ~Env() = default;

  /// Refuses directories, FIFOs, sockets and devices at once (kInvalidData); kNotFound where
  /// nothing is there.
  virtual Result<std::unique_ptr<ReadableFile>> open_readable(const std::string& path) = 0;
  /// Creates the file where it is missing; refuses what is not a regular file.
  virtual Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path,
                                                              WriteMode mode) = 0;
  /// Regular files for reads of large pieces, several at once (read_queue.h). The thread that calls
  /// this is the one that uses the queue.
  virtual Result<std::unique_ptr<ReadQueue>> open_read_queue(const ReadQueueConfig& config) = 0;
  /// Follows symbolic links; false also where the path may not be looked at.
  virtual bool exists(const std::string& path) = 0;
  virtual bool is_directory(const std::string& path) = 0;
  /// Names (not paths) in the folder, sorted, without "." and "..".
  virtual Result<std::vector<std::string>> list_directory(const std::string& path) = 0;
  /// Absolute path without links, "." and ".."; fails where it does not exist or links loop.
  virtual Result<std::string> canonical_path(const std::string& path) = 0;
  /// Creates the folder and its missing parents; an existing folder is fine.
  virtual Result<void> make_directories(const std::string& path) = 0;
  /// Value of an environment variable; a set but empty one is an empty string.
  virtual std::optional<std::string> get_env(const std::string& name) = 0;
  /// A file that the kernel makes up (under /proc or /sys, whose stated sizes are wrong): up to
  /// 64 KiB of its text.
  virtual Result<std::string> read_system_file(const std::string& path) = 0;
  /// Cuts a file to its first `bytes`; there must be as many.
  virtual Result<void> truncate_file(const std::string& path, uint64_t bytes) = 0;
  /// Gives a file another name in the same file system, in place of what has that name; done for
  /// good when it returns.
  virtual Result<void> rename_file(const std::string& from, const std::string& to) = 0;
  /// Bytes that may still be written to the file system which holds the folder.
  virtual Result<uint64_t> free_disk_bytes(const std::string& folder) = 0;
  /// The disk that a path lies on, as the system numbers it ("254:0"): equal for paths on one.
  virtual Result<std::string> disk_of(const std::string& path) = 0;
  /// Monotonic clock, nanoseconds since an arbitrary start.
  virtual int64_t now_ns() = 0;
  /// Wall clock, seconds since 1970; only for what people and other programs read.
  virtual int64_t unix_time_s() = 0;

  /// The whole file as text; over `max_bytes` it is refused (kResourceLimit) before anything is
  /// read.
  Result<std::string> read_small_file(const std::string& path, uint64_t max_bytes);
};

/// The operating system's files, clock and environment; lives for ever.
Env& real_env();

/// What a path says before its last slash: "." where it has none.
std::string parent_path(const std::string& path);

/// "folder/name" without doubling the slash.
std::string join_path(std::string_view folder, std::string_view name);

}  // namespace strata
