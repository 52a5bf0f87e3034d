// The read queue over io_uring: one thread issues and reaps; completions are handled when it asks
// for them (DEFER_TASKRUN), so that no interrupt of a finished read stops a computing thread.
// Files are registered always, the caller's buffer where the limit on locked memory allows it.
#include <liburing.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/direct_file.h"

namespace strata {
namespace {

// The kernel's limit for one registered buffer.
constexpr size_t kMostRegistered = size_t{1} << 30;

// Strongest first: DEFER_TASKRUN came with Linux 6.1, SINGLE_ISSUER with 6.0, COOP_TASKRUN with
// 5.19.
constexpr unsigned kSetups[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, 0};

class UringQueue : public ReadQueue {
 public:
  UringQueue(OpenedFiles opened, const ReadQueueConfig& config)
      : files_(std::move(opened.files)),
        description_("io_uring, " + opened.kind),
        buffer_(config.buffer),
        most_per_call_(config.most_per_call),
        slots_(static_cast<size_t>(config.depth)) {
    for (size_t slot = slots_.size(); slot-- > 0;) free_.push_back(slot);
  }

  ~UringQueue() override {
    if (!ready_) return;
    for (std::vector<ReadOutcome> dropped; free_.size() < slots_.size();) wait(dropped);
    ::io_uring_queue_exit(&ring_);
  }

  Result<void> start() {
    int error = 0;
    for (const unsigned flags : kSetups) {
      error = -::io_uring_queue_init(static_cast<unsigned>(slots_.size()), &ring_, flags);
      if (error != EINVAL) break;
    }
    if (error != 0) return refused("io_uring_setup", error);
    ready_ = true;
    std::vector<int> descriptors;
    for (const DirectFile& file : files_) descriptors.push_back(file.fd());
    error = -::io_uring_register_files(&ring_, descriptors.data(),
                                       static_cast<unsigned>(descriptors.size()));
    if (error != 0) return refused("registering files", error);
    register_buffer();
    return {};
  }

  const std::string& description() const override { return description_; }

  void submit(const ReadRequest& request) override {
    CHECK(!free_.empty(), "more reads than the queue was made for");
    const size_t slot = free_.back();
    free_.pop_back();
    slots_[slot] = {request};
    issue(slot);
    enter(0);  // whoever submits may have something else to do before it waits
  }

  void wait(std::vector<ReadOutcome>& outcomes) override {
    CHECK(free_.size() < slots_.size(), "waiting for no read");
    const size_t before = outcomes.size();
    while (outcomes.size() == before) {
      enter(1);
      reap(outcomes);
    }
  }

 private:
  static std::unexpected<Status> refused(const char* what, int error) {
    return fail(Code::kUnavailable,
                "io_uring: " + std::string(what) + ": " + std::generic_category().message(error),
                {}, {}, "containers often forbid it; --io pread does without");
  }

  // Without it every read maps its pages anew, which costs a little and works everywhere.
  void register_buffer() {
    std::vector<iovec> pieces;
    for (size_t at = 0; at < buffer_.size(); at += kMostRegistered) {
      pieces.push_back({buffer_.data() + at, std::min(kMostRegistered, buffer_.size() - at)});
    }
    if (pieces.empty()) return;
    registered_ = ::io_uring_register_buffers(&ring_, pieces.data(),
                                              static_cast<unsigned>(pieces.size())) == 0;
    description_ += registered_ ? ", registered buffer" : ", buffer not registered (ulimit -l)";
  }

  // The registered piece that holds all of [data, data + bytes), or -1.
  int piece_of(const std::byte* data, size_t bytes) const {
    if (!registered_ || data < buffer_.data() || data + bytes > buffer_.data() + buffer_.size()) {
      return -1;
    }
    const size_t first = static_cast<size_t>(data - buffer_.data()) / kMostRegistered;
    const size_t last = static_cast<size_t>(data - buffer_.data() + bytes - 1) / kMostRegistered;
    return first == last ? static_cast<int>(first) : -1;
  }

  void issue(size_t slot) {
    const ReadProgress& progress = slots_[slot];
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    CHECK(entry != nullptr, "the ring has an entry for every slot");
    std::byte* out = progress.request.out.data() + progress.start();
    const auto bytes = static_cast<unsigned>(progress.length(most_per_call_));
    const uint64_t offset = progress.request.offset + progress.start();
    const auto file = static_cast<int>(progress.request.file);
    const int piece = piece_of(out, bytes);
    if (piece >= 0) {
      ::io_uring_prep_read_fixed(entry, file, out, bytes, offset, piece);
    } else {
      ::io_uring_prep_read(entry, file, out, bytes, offset);
    }
    entry->flags |= IOSQE_FIXED_FILE;
    ::io_uring_sqe_set_data64(entry, slot);
  }

  // Hands over what is prepared and waits for so many; the kernel may be short of memory for a
  // moment.
  void enter(unsigned ended) {
    int result = 0;
    do {
      result = ::io_uring_submit_and_wait(&ring_, ended);
    } while (result == -EINTR || result == -EAGAIN || result == -EBUSY || result == -ENOMEM);
    CHECK(result >= 0, "io_uring_enter refuses its own ring");
  }

  void reap(std::vector<ReadOutcome>& outcomes) {
    io_uring_cqe* done = nullptr;
    while (::io_uring_peek_cqe(&ring_, &done) == 0) {
      const auto slot = static_cast<size_t>(::io_uring_cqe_get_data64(done));
      const int result = done->res;
      ::io_uring_cqe_seen(&ring_, done);
      ReadProgress& progress = slots_[slot];
      auto outcome = progress.take(result, files_[progress.request.file]);
      if (!outcome) {
        issue(slot);
        continue;
      }
      outcomes.push_back(std::move(*outcome));
      free_.push_back(slot);
    }
  }

  const std::vector<DirectFile> files_;
  std::string description_;
  const std::span<std::byte> buffer_;
  const size_t most_per_call_;
  bool ready_ = false;  // ring_ exists
  bool registered_ = false;
  io_uring ring_{};
  std::vector<ReadProgress> slots_;
  std::vector<size_t> free_;  // slots
};

}  // namespace

Result<std::unique_ptr<ReadQueue>> open_uring_queue(const ReadQueueConfig& config) {
  auto queue = std::make_unique<UringQueue>(TRY(open_direct_files(config)), config);
  TRY(queue->start());
  return queue;
}

}  // namespace strata
