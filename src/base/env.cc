// The operating system behind Env: plain POSIX calls, restarted when interrupted, every errno
// turned into a Status. No caching, no read-ahead policy: who reads knows better.
#include "base/env.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <system_error>

namespace strata {
namespace {

// Linux transfers at most 2^31 - 4096 bytes in one call; staying below keeps every count in
// ssize_t.
constexpr size_t kMaxTransfer = 1 << 30;

Code code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case ENAMETOOLONG:
      return Code::kNotFound;
    case ELOOP:
      return Code::kInvalidData;
    default:
      return Code::kIo;
  }
}

std::unexpected<Status> fail_errno(std::string what, int error) {
  std::string hint;
  if (error == EACCES) hint = "check the permissions of the file and of every folder above it";
  if (error == ENOSPC) hint = "free some space or choose another place";
  return fail(code_of(error), std::move(what) + ": " + std::generic_category().message(error), {},
              {}, std::move(hint));
}

// The system calls take C strings: a NUL inside a path would silently name another file.
Result<void> check_path(const std::string& path) {
  if (path.empty()) return fail(Code::kInvalidArgument, "empty path");
  if (path.find('\0') != std::string::npos) {
    return fail(Code::kInvalidArgument, path + ": a path cannot contain a NUL byte");
  }
  return {};
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

struct OpenFile {
  Descriptor fd;
  uint64_t size;
};

// O_NONBLOCK: opening a FIFO would otherwise wait for its other end. It has no effect on regular
// files.
Result<OpenFile> open_regular(const std::string& path, int flags) {
  TRY(check_path(path));
  Descriptor fd(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666));
  if (fd.get() < 0) {
    const int error = errno;
    // ENXIO: a socket, or a FIFO without a reader. EISDIR: a folder opened for writing.
    if (error == ENXIO || error == EISDIR) {
      return fail(Code::kInvalidData, path, error == ENXIO ? "a pipe or socket" : "a folder",
                  "a regular file");
    }
    return fail_errno(path, error);
  }
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return fail_errno(path, errno);
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::kInvalidData, path, std::string(kind_of(info.st_mode)), "a regular file");
  }
  return OpenFile{std::move(fd), static_cast<uint64_t>(info.st_size)};
}

// The page cache keeps large folios, of at most 2 MiB, and forgets one only where all of it is
// named.
void forget_pages(int fd, uint64_t offset, uint64_t bytes) {
  constexpr uint64_t kFolio = 2 << 20;
  const uint64_t begin = offset / kFolio * kFolio;
  const uint64_t end = (offset + bytes + kFolio - 1) / kFolio * kFolio;
  ::posix_fadvise(fd, static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                  POSIX_FADV_DONTNEED);
}

class PosixReadable : public ReadableFile {
 public:
  explicit PosixReadable(OpenFile file) : fd_(std::move(file.fd)), size_(file.size) {}

  uint64_t size() const override { return size_; }

  Result<void> read_at(uint64_t offset, std::span<std::byte> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const size_t want = std::min(out.size() - done, kMaxTransfer);
      const ssize_t got =
          ::pread(fd_.get(), out.data() + done, want, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno("cannot read at byte " + std::to_string(offset + done), errno);
      if (got == 0) {
        return fail(Code::kInvalidData, "truncated: the file ends inside the bytes to read",
                    std::to_string(offset + done) + " bytes",
                    std::to_string(offset + out.size()) + " bytes");
      }
      done += static_cast<size_t>(got);
    }
    return {};
  }

  void drop_cached(uint64_t offset, uint64_t bytes) const override {
    forget_pages(fd_.get(), offset, bytes);
  }

 private:
  Descriptor fd_;
  uint64_t size_;
};

class PosixWritable : public WritableFile {
 public:
  PosixWritable(std::string path, Descriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<void> write(std::span<const std::byte> data) override {
    while (!data.empty()) {
      const ssize_t put = ::write(fd_.get(), data.data(), std::min(data.size(), kMaxTransfer));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return fail_errno(path_, errno);
      data = data.subspan(static_cast<size_t>(put));
    }
    return {};
  }

  Result<void> write_at(uint64_t offset, std::span<const std::byte> data) override {
    while (!data.empty()) {
      const ssize_t put = ::pwrite(fd_.get(), data.data(), std::min(data.size(), kMaxTransfer),
                                   static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return fail_errno(path_, errno);
      data = data.subspan(static_cast<size_t>(put));
      offset += static_cast<uint64_t>(put);
    }
    return {};
  }

  Result<void> flush_range(uint64_t offset, uint64_t bytes) override {
    return sync_range(offset, bytes, SYNC_FILE_RANGE_WRITE);
  }

  Result<void> drop_cached(uint64_t offset, uint64_t bytes) override {
    constexpr unsigned kWrittenBack =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    TRY(sync_range(offset, bytes, kWrittenBack));
    forget_pages(fd_.get(), offset, bytes);
    return {};
  }

  Result<void> lock() override {
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) return {};
    if (errno == EWOULDBLOCK) {
      return fail(Code::kBusy, path_ + ": another process is writing it", {}, {},
                  "wait for it, or choose another name");
    }
    return fail_errno(path_, errno);
  }

  Result<void> sync() override {
    if (::fsync(fd_.get()) != 0) return fail_errno(path_, errno);
    return {};
  }

  Result<void> close() override {
    // On Linux the descriptor is gone even where close() reports an error or an interruption.
    const int fd = fd_.release();
    if (fd >= 0 && ::close(fd) != 0 && errno != EINTR) return fail_errno(path_, errno);
    return {};
  }

 private:
  // Where a file system cannot write back a range, sync() does it all.
  Result<void> sync_range(uint64_t offset, uint64_t bytes, unsigned flags) {
    if (::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes),
                          flags) == 0 ||
        errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL) {
      return {};
    }
    return fail_errno(path_, errno);
  }

  std::string path_;
  Descriptor fd_;
};

class RealEnv : public Env {
 public:
  Result<std::unique_ptr<ReadableFile>> open_readable(const std::string& path) override {
    return std::make_unique<PosixReadable>(TRY(open_regular(path, O_RDONLY)));
  }

  // Truncated only once it is known to be a regular file.
  Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path,
                                                      WriteMode mode) override {
    const int append = mode == WriteMode::kAppend ? O_APPEND : 0;
    OpenFile file = TRY(open_regular(path, O_WRONLY | O_CREAT | append));
    if (mode == WriteMode::kTruncate && ::ftruncate(file.fd.get(), 0) != 0) {
      return fail_errno(path, errno);
    }
    return std::make_unique<PosixWritable>(path, std::move(file.fd));
  }

  Result<std::unique_ptr<ReadQueue>> open_read_queue(const ReadQueueConfig& config) override {
    for (const std::string& path : config.paths) TRY(check_path(path));
    return open_real_read_queue(config);
  }

  bool exists(const std::string& path) override {
    struct stat info;
    return check_path(path) && ::stat(path.c_str(), &info) == 0;
  }

  bool is_directory(const std::string& path) override {
    struct stat info;
    return check_path(path) && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  }

  Result<std::vector<std::string>> list_directory(const std::string& path) override {
    TRY(check_path(path));
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) return fail_errno(path, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(folder)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int error = errno;
    ::closedir(folder);
    if (error != 0) return fail_errno(path, error);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<std::string> canonical_path(const std::string& path) override {
    TRY(check_path(path));
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                           &std::free);
    if (!real) return fail_errno(path, errno);
    return std::string(real.get());
  }

  Result<void> make_directories(const std::string& path) override {
    TRY(check_path(path));
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return fail_errno(path, error.value());
    return {};
  }

  Result<void> truncate_file(const std::string& path, uint64_t bytes) override {
    const auto size = TRY(open_readable(path))->size();
    if (bytes > size) {
      return fail(Code::kInvalidData, path + ": file size", std::to_string(size) + " bytes",
                  "at least " + std::to_string(bytes));
    }
    if (::truncate(path.c_str(), static_cast<off_t>(bytes)) != 0) return fail_errno(path, errno);
    return {};
  }

  Result<void> rename_file(const std::string& from, const std::string& to) override {
    TRY(check_path(from));
    TRY(check_path(to));
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(to, errno);
    const std::string folder = parent_path(to);
    const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0) return fail_errno(folder, errno);
    return {};
  }

  Result<uint64_t> free_disk_bytes(const std::string& folder) override {
    TRY(check_path(folder));
    struct statvfs info;
    if (::statvfs(folder.c_str(), &info) != 0) return fail_errno(folder, errno);
    return uint64_t{info.f_bavail} * info.f_frsize;
  }

  Result<std::string> disk_of(const std::string& path) override {
    TRY(check_path(path));
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return fail_errno(path, errno);
    return std::to_string(major(info.st_dev)) + ":" + std::to_string(minor(info.st_dev));
  }

  std::optional<std::string> get_env(const std::string& name) override {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  }

  Result<std::string> read_system_file(const std::string& path) override {
    TRY(check_path(path));
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail_errno(path, errno);
    std::string text(64 << 10, '\0');
    size_t filled = 0;
    ssize_t got = 0;
    while (filled < text.size() && (got = ::read(fd, &text[filled], text.size() - filled)) > 0) {
      filled += static_cast<size_t>(got);
    }
    const int error = errno;
    ::close(fd);
    if (got < 0) return fail_errno(path, error);
    text.resize(filled);
    return text;
  }

  int64_t now_ns() override {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }

  int64_t unix_time_s() override {
    timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
  }
};

}  // namespace

Result<std::string> Env::read_small_file(const std::string& path, uint64_t max_bytes) {
  const auto file = TRY(open_readable(path));
  if (file->size() > max_bytes) {
    return fail(Code::kResourceLimit, path + ": file size", std::to_string(file->size()) + " bytes",
                "at most " + std::to_string(max_bytes));
  }
  std::string text(file->size(), '\0');
  auto read = file->read_at(0, std::as_writable_bytes(std::span(text)));
  if (!read) return std::unexpected(std::move(read).error().with_context(path));
  return text;
}

Env& real_env() {
  static RealEnv env;
  return env;
}

std::string parent_path(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string join_path(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty() && path.back() != '/') path += '/';
  return path += name;
}

}  // namespace strata
