// The read queue without io_uring: a few threads in pread(). Requests and outcomes go through one
// mutex; a request is large, so that is nothing beside its read.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/direct_file.h"
#include "base/thread_name.h"

namespace strata {
namespace {

// With 1 MiB a request more threads gain nothing on any disk measured, and each costs a stack.
constexpr int kMostThreads = 8;

class PreadQueue : public ReadQueue {
 public:
  PreadQueue(std::vector<DirectFile> files, std::string description, size_t most_per_call,
             int depth)
      : files_(std::move(files)),
        description_(std::move(description)),
        most_per_call_(most_per_call),
        depth_(depth) {
    for (int i = 0; i < std::min(depth, kMostThreads); i++) {
      threads_.emplace_back([this] { work(); });
      name_thread(threads_.back(), "strata-pread");
    }
  }

  ~PreadQueue() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wanted_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  const std::string& description() const override { return description_; }

  void submit(const ReadRequest& request) override {
    {
      const std::lock_guard lock(mutex_);
      CHECK(under_way_ < depth_, "more reads than the queue was made for");
      under_way_++;
      requests_.push_back(request);
    }
    wanted_.notify_one();
  }

  void wait(std::vector<ReadOutcome>& outcomes) override {
    std::unique_lock lock(mutex_);
    CHECK(under_way_ > 0, "waiting for no read");
    ended_.wait(lock, [&] { return !outcomes_.empty(); });
    under_way_ -= static_cast<int>(outcomes_.size());
    std::ranges::move(outcomes_, std::back_inserter(outcomes));
    outcomes_.clear();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wanted_.wait(lock, [&] { return stop_ || !requests_.empty(); });
      if (stop_) return;
      const ReadRequest request = requests_.front();
      requests_.pop_front();
      lock.unlock();
      ReadOutcome outcome = read(request);
      lock.lock();
      outcomes_.push_back(std::move(outcome));
      ended_.notify_one();
    }
  }

  ReadOutcome read(const ReadRequest& request) const {
    const DirectFile& file = files_[request.file];
    ReadProgress progress{request};
    while (true) {
      const size_t start = progress.start();
      const ssize_t got =
          ::pread(file.fd(), request.out.data() + start, progress.length(most_per_call_),
                  static_cast<off_t>(request.offset + start));
      auto outcome = progress.take(got < 0 ? -errno : got, file);
      if (outcome) return std::move(*outcome);
    }
  }

  const std::vector<DirectFile> files_;
  const std::string description_;
  const size_t most_per_call_;
  const int depth_;
  std::mutex mutex_;
  std::condition_variable wanted_;  // for the threads: requests_, stop_
  std::condition_variable ended_;   // for the caller: outcomes_
  std::deque<ReadRequest> requests_;
  std::vector<ReadOutcome> outcomes_;
  int under_way_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<ReadQueue>> open_pread_queue(const ReadQueueConfig& config) {
  OpenedFiles opened = TRY(open_direct_files(config));
  return std::make_unique<PreadQueue>(std::move(opened.files), "pread, " + opened.kind,
                                      config.most_per_call, config.depth);
}

}  // namespace strata
