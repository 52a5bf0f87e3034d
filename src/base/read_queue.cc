// Opening of files past the page cache, the way of a request through short reads, and the choice
// between the two implementations.
#include "base/read_queue.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/direct_file.h"
#include "base/log.h"

namespace strata {
namespace {

std::unexpected<Status> fail_errno(const std::string& what, int error) {
  return fail(error == ENOENT ? Code::kNotFound : Code::kIo,
              what + ": " + std::generic_category().message(error));
}

// Some file systems take the flag and refuse the reads.
bool reads_directly(int fd) {
  alignas(kDirectBlock) std::array<std::byte, kDirectBlock> block;
  return ::pread(fd, block.data(), block.size(), 0) >= 0;
}

int open_to_read(const std::string& path, int flags) {
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
}

}  // namespace

Result<IoKind> parse_io_kind(std::string_view name) {
  if (name == "auto") return IoKind::kAuto;
  if (name == "uring") return IoKind::kUring;
  if (name == "pread") return IoKind::kPread;
  return fail(Code::kInvalidArgument, "--io", std::string(name), "auto, uring or pread");
}

Result<DirectFile> DirectFile::open(const std::string& path, bool direct) {
  DirectFile file(path, open_to_read(path, 0), false);
  if (file.fd_ < 0) return fail_errno(path, errno);
  struct stat info;
  if (::fstat(file.fd_, &info) != 0) return fail_errno(path, errno);
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::kInvalidData, path, "no regular file", "a regular file");
  }
  if (direct) {
    DirectFile past_cache(path, open_to_read(path, O_DIRECT), true);
    if (past_cache.fd_ >= 0 && reads_directly(past_cache.fd_)) return past_cache;
  }
  // The kernel's own read-ahead would bring in pages that nobody drops.
  ::posix_fadvise(file.fd_, 0, 0, POSIX_FADV_RANDOM);
  return file;
}

DirectFile::DirectFile(DirectFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), direct_(other.direct_) {}

DirectFile::~DirectFile() {
  if (fd_ >= 0) ::close(fd_);
}

void DirectFile::drop_behind(uint64_t offset, size_t bytes) const {
  if (direct_) return;
  ::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_DONTNEED);
}

size_t ReadProgress::length(size_t most) const {
  return std::min(request.out.size() - start(), most);
}

std::optional<ReadOutcome> ReadProgress::take(ssize_t result, const DirectFile& file) {
  if (result == -EINTR || result == -EAGAIN) return std::nullopt;
  const uint64_t at = request.offset + start();
  if (result < 0) {
    return ReadOutcome{request.id,
                       fail_errno(fmt::format("{}: cannot read at byte {}", file.path(), at),
                                  static_cast<int>(-result))};
  }
  file.drop_behind(at, static_cast<size_t>(result));
  const size_t reached = start() + static_cast<size_t>(result);
  const bool further = reached > filled;
  filled = std::max(filled, reached);
  if (filled >= request.needed) return ReadOutcome{request.id, {}};
  if (further) return std::nullopt;
  return ReadOutcome{
      request.id,
      fail(Code::kInvalidData, file.path() + ": truncated: the file ends inside the bytes to read",
           fmt::format("{} bytes", request.offset + filled),
           fmt::format("{} bytes", request.offset + request.needed))};
}

Result<OpenedFiles> open_direct_files(const ReadQueueConfig& config) {
  OpenedFiles opened;
  for (const std::string& path : config.paths) {
    opened.files.push_back(TRY(DirectFile::open(path, config.direct)));
  }
  const bool direct = std::ranges::all_of(opened.files, &DirectFile::direct);
  opened.kind = direct          ? "O_DIRECT"
                : config.direct ? "page cache, dropped behind (the file system refuses O_DIRECT)"
                                : "page cache, dropped behind";
  return opened;
}

Result<std::unique_ptr<ReadQueue>> open_real_read_queue(const ReadQueueConfig& config) {
  if (config.io == IoKind::kPread) return open_pread_queue(config);
  auto uring = open_uring_queue(config);
  const bool refused = !uring && uring.error().code == Code::kUnavailable;
  if (config.io == IoKind::kUring || !refused) return uring;
  log_info("reading with pread: {}", uring.error().message());
  return open_pread_queue(config);
}

}  // namespace strata
