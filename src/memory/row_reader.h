// Reads single rows of a table that stays on the disk: the rows that a step looks up, sorted, with
// neighbours in one read, many under way, through a small buffer of its own. Beside the ring, which
// reads whole units in their order (ring.h). Knows no layout: a row is bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/status.h"
#include "device/device.h"
#include "memory/account.h"
#include "memory/ring.h"

namespace strata::memory {

/// Rows of one size, one behind the other in a file.
struct RowTable {
  std::string name;  // for errors: "unit embedding"
  size_t file = 0;   // into the paths
  uint64_t offset = 0;
  int64_t row_bytes = 0;
  int64_t rows = 0;
};

struct RowStats {
  int64_t rows = 0;  // that were asked for, each once a step
  int64_t reads = 0;
  int64_t read_bytes = 0;
};

/// One thread uses it.
class RowReader {
 public:
  /// Of rows of so many bytes, and what reading one alone reads at most.
  static int64_t buffer_bytes(int64_t row_bytes);
  static int64_t read_bytes(int64_t row_bytes);

  /// Opens the files and takes the buffer (MemoryTag::kRing); reads nothing yet. `device` and
  /// `account` must outlive it.
  static Result<std::unique_ptr<RowReader>> create(Env& env, device::Device& device,
                                                   MemoryAccount& account,
                                                   const std::vector<std::string>& paths,
                                                   RowTable table, IoKind io);
  /// Waits for what is under way.
  ~RowReader();
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  /// Begins to read these rows, ascending, each once, and forgets what was asked before.
  void ask(std::vector<int64_t> rows);

  /// A row, and its bytes for the length of the call; at any address.
  using Sink = std::function<Result<void>(int64_t row, std::span<const std::byte> bytes)>;
  /// Hands every row that was asked for to `sink`, in any order, as it arrives. Fails with the
  /// first read's error (naming table, file and byte) or the sink's, or kCancelled where `stop`
  /// says so; nothing is under way any more then.
  Result<void> take(const Sink& sink, const StopCheck& stop);

  const RowStats& stats() const { return stats_; }

 private:
  // What a read of a place in the buffer brings: asked_[first, first + count).
  struct Place {
    uint64_t offset = 0;
    size_t first = 0;
    size_t count = 0;
  };

  RowReader(RowTable table, device::Buffer buffer, Charge charge);
  void submit_next(size_t place);
  Result<void> hand_over(const Place& place, const std::byte* data, const Sink& sink) const;
  void forget();
  uint64_t begin_of(int64_t row) const;
  std::span<std::byte> memory_of(size_t place) const;

  const RowTable table_;
  const int64_t place_bytes_;
  device::Buffer buffer_;
  Charge charge_;
  std::vector<Place> places_;
  std::vector<int64_t> asked_;
  size_t next_ = 0;  // into asked_: the first row that no read has been issued for
  int64_t under_way_ = 0;
  RowStats stats_;
  std::unique_ptr<ReadQueue> queue_;  // last in, first out: it reads into the buffer
};

}  // namespace strata::memory
