// The thread that runs batches beside live requests: which batches are under way, and when a row
// may go into the engine. What happens to a batch is batch_task.h's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/files/batch_task.h"

namespace strata::server {

class BatchRunner {
 public:
  /// Of different owners; an owner's batches are run one after the other.
  static constexpr size_t kMostTasks = 4;

  /// `owners`: of the server's keys, in their order; other owners' batches wait. Both stores and
  /// `limits`, which may be null, must outlive the runner.
  BatchRunner(StateFolder& folder, FileStore& files, BatchStore& batches,
              std::vector<std::string> owners, KeyLimits* limits = nullptr);
  BatchRunner(const BatchRunner&) = delete;
  BatchRunner& operator=(const BatchRunner&) = delete;
  ~BatchRunner() { stop(); }

  /// `served` must outlive stop().
  void start(const Served& served);
  /// There is news in the batch store. From any thread.
  void wake() { bell_->ring(); }
  /// Rows in the engine are cancelled; a later server asks them again. From any thread.
  void request_stop();
  /// The same, and the thread has ended when it returns.
  void stop();

 private:
  void run(const Served& served);
  void take_batches(BatchWork& work);
  /// Answers to rows that are in the engine.
  int64_t asked() const;
  /// False where rows are held back, and nothing will ring when they no longer are.
  bool fill(const Served& served);
  BatchKey key_of(const std::string& owner) const;

  StateFolder& folder_;
  FileStore& files_;
  BatchStore& batches_;
  const std::vector<std::string> owners_;
  KeyLimits* const limits_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
  std::vector<std::unique_ptr<BatchTask>> tasks_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace strata::server
