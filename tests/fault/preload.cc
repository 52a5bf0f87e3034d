// Preloaded into the real program by tests: reads and writes of one file fail on purpose, as the
// environment says. What the kernel does rarely and a test cannot order.
//
//   STRATA_FAULT_FILE   part of the file's path
//   STRATA_FAULT        eio:N     the Nth read of it (from 0), and no other, fails with EIO
//                       short:N   every Nth read brings half of what was asked
//                       slow:NS   every read takes NS nanoseconds for each KiB
//                       full:N    from the Nth write on there is no space left
//                       hang:     reads do not return while the file STRATA_FAULT_GATE exists
#include <dlfcn.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

std::atomic<long> reads{0}, writes{0};

struct Order {
  const char* file = std::getenv("STRATA_FAULT_FILE");
  const char* text = std::getenv("STRATA_FAULT");
  long number = 0;

  Order() {
    const char* colon = text == nullptr ? nullptr : std::strchr(text, ':');
    if (colon != nullptr) number = std::atol(colon + 1);
  }
  bool is(const char* kind) const { return text != nullptr && std::strstr(text, kind) == text; }
};

const Order& order() {
  static const Order kOrder;
  return kOrder;
}

bool concerns(int fd) {
  if (order().file == nullptr) return false;
  char link[64] = "/proc/self/fd/", path[4096];
  size_t at = std::strlen(link);
  if (fd < 0) return false;
  char digits[16];
  size_t count = 0;
  do digits[count++] = static_cast<char>('0' + fd % 10);
  while ((fd /= 10) > 0);
  while (count > 0) link[at++] = digits[--count];
  link[at] = 0;
  const ssize_t length = ::readlink(link, path, sizeof(path) - 1);
  if (length <= 0) return false;
  path[length] = 0;
  return std::strstr(path, order().file) != nullptr;
}

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

// The bytes that this read may bring; -1: none, it fails.
ssize_t allowed(int fd, size_t count) {
  const auto all = static_cast<ssize_t>(count);
  if (!concerns(fd)) return all;
  const long number = reads++;
  if (order().is("eio:") && number == order().number) return -1;
  // Half a block would not be readable past the page cache.
  if (order().is("short:") && number % order().number == 0 && all >= 8192) {
    return all / 2 / 4096 * 4096;
  }
  if (order().is("slow:")) {
    const long ns = order().number * (all / 1024 + 1);
    const timespec pause = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    ::nanosleep(&pause, nullptr);
  }
  if (order().is("hang:")) {
    static const char* const kGate = std::getenv("STRATA_FAULT_GATE");
    const timespec pause = {.tv_sec = 0, .tv_nsec = 1'000'000};
    while (::access(kGate, F_OK) == 0) ::nanosleep(&pause, nullptr);
  }
  return all;
}

bool disk_is_full(int fd) {
  return order().is("full:") && concerns(fd) && writes++ >= order().number;
}

}  // namespace

extern "C" {

ssize_t pread(int fd, void* out, size_t count, off_t offset) {
  const ssize_t most = allowed(fd, count);
  if (most < 0) {
    errno = EIO;
    return -1;
  }
  static const auto kReal = real<ssize_t (*)(int, void*, size_t, off_t)>("pread64");
  return kReal(fd, out, static_cast<size_t>(most), offset);
}
ssize_t pread64(int fd, void* out, size_t count, off_t offset) {
  return pread(fd, out, count, offset);
}

ssize_t pwrite(int fd, const void* data, size_t count, off_t offset) {
  if (disk_is_full(fd)) {
    errno = ENOSPC;
    return -1;
  }
  static const auto kReal = real<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite64");
  return kReal(fd, data, count, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t count, off_t offset) {
  return pwrite(fd, data, count, offset);
}

ssize_t write(int fd, const void* data, size_t count) {
  if (disk_is_full(fd)) {
    errno = ENOSPC;
    return -1;
  }
  static const auto kReal = real<ssize_t (*)(int, const void*, size_t)>("write");
  return kReal(fd, data, count);
}
}
