// One batch under way: its input checked, its rows asked and answered, its files made. Between the
// runner's thread, which calls everything here, and the engine's door, which is only given
// requests.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "frontend/batch/rows.h"
#include "server/api_service.h"
#include "server/files/batch_store.h"
#include "server/files/file_store.h"
#include "server/generation.h"

namespace strata::server {

/// Wakes the runner; ring() may come from any thread, also after the runner has gone.
class Bell {
 public:
  void ring();
  /// Until it rings or so long; nullopt: until it rings.
  void wait(std::optional<std::chrono::milliseconds> limit);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

/// What all tasks work with; outlives them.
struct BatchWork {
  StateFolder& folder;
  FileStore& files;
  BatchStore& batches;
  const Served& served;
  frontend::ServedModel model;  // as rows may ask of it
  std::shared_ptr<Bell> bell;
  KeyLimits* limits = nullptr;  // null: keys ask for what they like
};

/// The key that a batch is answered for.
struct BatchKey {
  std::optional<size_t> number;  // of the server's keys
  std::string salt;              // what its cached prompts are kept apart by
};

class BatchTask {
 public:
  static constexpr int64_t kMostRows = 50'000;       // OpenAI's
  static constexpr size_t kMostRowBytes = 32 << 20;  // of the input, in the engine at a time
  static constexpr int32_t kBehindLive = 360;        // levels of priority: an hour of waiting

  BatchTask(BatchWork& work, BatchRecord batch, BatchKey key);
  BatchTask(const BatchTask&) = delete;
  BatchTask& operator=(const BatchTask&) = delete;

  const std::string& owner() const { return batch_.owner; }
  const std::string& id() const { return batch_.id; }
  /// Takes in what has come, and goes on. True once the batch has ended.
  bool advance();
  /// Puts a row into the engine where `room` answers more may be. False where there is no room for
  /// now, or no row.
  bool start_row(int64_t room);
  bool has_rows() const { return running_ && !stopping() && (!waiting_.empty() || !at_end_); }
  int64_t answers_asked() const { return asked_; }
  /// Gives up what is in the engine; the next server asks again.
  void abandon();

 private:
  struct Row {
    frontend::BatchRow asked;
    size_t bytes = 0;  // of the input
    int64_t answers = 0;
    std::shared_ptr<Generation> generation = {};
    frontend::ResponseHead head = {};
  };
  bool stopping() const { return batch_.status == BatchStatus::kCancelling || expired_; }
  Result<bool> go_on();
  Result<bool> stop();
  Result<void> check_some();
  void check_row(const frontend::AnyBatchRow& row);
  Result<void> end_check();
  Result<void> open_input();
  Result<void> begin_rows();
  Result<std::unique_ptr<WritableFile>> open_output(const std::string& name,
                                                    frontend::EarlierAnswers& earlier);
  Result<bool> read_row();
  Result<bool> try_start(int64_t room);
  Result<bool> ask(Row& row, frontend::ApiRequest request);
  Result<bool> refuse_row(const Row& row, const Status& why);
  Result<void> take_answers();
  Result<bool> end_row(const Row& row, const Generation::News& news);
  Result<void> write(bool answered, const std::string& line);
  Result<void> write_unasked();
  Result<void> finish(BatchStatus last);
  Result<void> close_outputs();
  Result<std::string> make_file(const std::string& id, const std::string& name);
  Result<void> update(const std::function<void(BatchRecord&)>& change);
  void fail_with(std::vector<BatchFault> faults);
  std::string output_name() const { return batch_.id + ".output"; }
  std::string errors_name() const { return batch_.id + ".errors"; }

  BatchWork& work_;
  BatchRecord batch_;  // as of the last call; the store's is the true one
  const BatchKey key_;
  std::optional<frontend::BatchReader> reader_;
  std::optional<frontend::EarlierAnswers> answered_, refused_;  // by earlier runs
  std::unique_ptr<WritableFile> output_, errors_;
  std::list<Row> rows_;     // in the engine
  std::list<Row> waiting_;  // read, and without room
  std::vector<BatchFault> faults_;
  std::optional<Status> failure_;  // met while a row was started
  int64_t checked_ = 0;
  int64_t asked_ = 0;
  size_t row_bytes_ = 0;
  bool running_ = false;
  bool at_end_ = false;
  bool expired_ = false;
  bool cancelled_ = false;  // what is in the engine
  bool pause_ = false;      // the engine has no memory for a row at the moment
};

}  // namespace strata::server
