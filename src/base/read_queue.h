// Reads of large pieces of files, several under way at once, past the page cache where the file
// system allows it. Two implementations, io_uring and a pool of threads in pread(), that behave the
// same; fault_env.h wraps either. What is read when, and into which memory, is the caller's
// (memory/ring.h): nothing here is cached or read ahead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata {

/// `--io`. kAuto: io_uring where the kernel lets us, pread otherwise.
enum class IoKind : uint8_t { kAuto, kUring, kPread };

/// "auto", "uring" or "pread"; kInvalidArgument names --io.
Result<IoKind> parse_io_kind(std::string_view name);

/// Offsets, addresses and lengths of requests are multiples of it: what O_DIRECT asks for on every
/// disk of today.
inline constexpr size_t kDirectBlock = 4096;

struct ReadQueueConfig {
  std::vector<std::string> paths;  // requests name them by index
  IoKind io = IoKind::kAuto;
  int depth = 16;  // requests under way at most
  /// Memory that most requests read into; registered with the kernel where that is allowed. Must
  /// outlive the queue.
  std::span<std::byte> buffer = {};
  /// False: through the page cache, dropped behind each read, also where O_DIRECT would do.
  bool direct = true;
  /// A system call is asked for no more; what a read leaves over is asked for again, as after a
  /// read that the kernel cut short. A multiple of kDirectBlock.
  size_t most_per_call = size_t{1} << 30;
};

struct ReadRequest {
  uint64_t id = 0;  // comes back with the outcome
  size_t file = 0;  // into ReadQueueConfig::paths
  uint64_t offset = 0;
  std::span<std::byte> out;  // untouchable until the outcome
  size_t needed =
      0;  // the first bytes of `out` that must be had; less where the file ends in `out`
};

struct ReadOutcome {
  uint64_t id = 0;
  /// kIo where the read was refused, kInvalidData where the file ends before `needed` bytes; both
  /// name path and offset.
  Result<void> status;
};

/// One thread makes and uses a queue.
class ReadQueue {
 public:
  /// Waits for the reads under way.
  virtual ~ReadQueue() = default;
  /// "io_uring, O_DIRECT, registered buffer": for the log.
  virtual const std::string& description() const = 0;
  /// Starts at the latest with the next wait(). At most ReadQueueConfig::depth requests may be
  /// without outcome.
  virtual void submit(const ReadRequest& request) = 0;
  /// Blocks until at least one request has ended and appends the outcomes there are. At least one
  /// request must be without outcome.
  virtual void wait(std::vector<ReadOutcome>& outcomes) = 0;
};

/// Opens the files; kUnavailable where the kernel refuses io_uring and `io` asks for it. Through an
/// Env: Env::open_read_queue.
Result<std::unique_ptr<ReadQueue>> open_real_read_queue(const ReadQueueConfig& config);

}  // namespace strata
