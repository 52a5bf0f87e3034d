// A state of the record is a stage here; whatever fails on the way ends the batch as failed, and
// nothing else. Lines are written as rows end, so that a kill loses what was under way alone.
#include "server/files/batch_task.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.h"
#include "frontend/batch/answer_rows.h"

namespace strata::server {
namespace {

using frontend::ApiKind;

constexpr int kRowsAtOnce = 256;  // checked, between two looks at answers
constexpr size_t kMostFaults = 100;

template <class T>
Result<T> shown(Result<T> result) {
  if (result) return result;
  return std::unexpected(StateFolder::shown(result.error()));
}

BatchFault fault_of(const Status& status, std::optional<int64_t> line = {}) {
  return {.code = std::string(code_name(status.code)), .message = status.message(), .line = line};
}

}  // namespace

void Bell::ring() {
  {
    const std::lock_guard lock(mutex_);
    rung_ = true;
  }
  changed_.notify_one();
}

void Bell::wait(std::optional<std::chrono::milliseconds> limit) {
  std::unique_lock lock(mutex_);
  const auto rung = [this] { return rung_; };
  if (limit) {
    changed_.wait_for(lock, *limit, rung);
  } else {
    changed_.wait(lock, rung);
  }
  rung_ = false;
}

BatchTask::BatchTask(BatchWork& work, BatchRecord batch, BatchKey key)
    : work_(work), batch_(std::move(batch)), key_(std::move(key)) {}

bool BatchTask::advance() {
  if (auto now = work_.batches.get(batch_.id)) batch_ = std::move(*now);
  const bool late = work_.folder.env().unix_time_s() >= batch_.expires_s;
  expired_ = expired_ || (late && batch_.status != BatchStatus::kCancelling);
  auto ended = failure_ ? std::unexpected(*failure_) : go_on();
  if (ended) return *ended;
  fail_with({fault_of(ended.error())});
  return true;
}

Result<bool> BatchTask::go_on() {
  if (batch_.status == BatchStatus::kFinalizing) {
    TRY(finish(BatchStatus::kCompleted));
    return true;
  }
  if (batch_.status == BatchStatus::kValidating && !expired_) {
    TRY(check_some());
    return batch_.ended();
  }
  if (!running_ && !batch_.output_file.empty()) TRY(begin_rows());
  TRY(take_answers());
  if (stopping()) return stop();
  if (!rows_.empty() || has_rows()) return false;
  TRY(close_outputs());
  TRY(update([&](BatchRecord& batch) {
    if (batch.status == BatchStatus::kInProgress) {
      batch.move_to(BatchStatus::kFinalizing, work_.folder.env().unix_time_s());
    }
  }));
  return false;
}

Result<bool> BatchTask::stop() {
  if (!std::exchange(cancelled_, true)) abandon();
  waiting_.clear();
  if (!rows_.empty()) return false;
  if (expired_ && !batch_.output_file.empty()) TRY(write_unasked());
  TRY(finish(expired_ ? BatchStatus::kExpired : BatchStatus::kCancelled));
  return true;
}

void BatchTask::abandon() {
  for (const Row& row : rows_) work_.served.door.cancel(row.generation);
}

Result<void> BatchTask::open_input() {
  const StoredFile file = TRY(work_.files.find(batch_.owner, batch_.input_file));
  reader_ = TRY(shown(frontend::BatchReader::open(work_.folder.env(), work_.files.path(file))));
  return {};
}

Result<void> BatchTask::check_some() {
  if (!reader_) TRY(open_input());
  for (int i = 0; i < kRowsAtOnce; i++) {
    const auto row = TRY(shown(reader_->next()));
    if (!row || faults_.size() >= kMostFaults || checked_ > kMostRows) return end_check();
    check_row(*row);
  }
  work_.bell->ring();
  return {};
}

void BatchTask::check_row(const frontend::AnyBatchRow& row) {
  checked_++;
  if (const auto* bad = std::get_if<frontend::BadBatchRow>(&row)) {
    faults_.push_back(fault_of(bad->status, bad->line));
    return;
  }
  const auto& good = std::get<frontend::BatchRow>(row);
  if (good.kind == batch_.kind) return;
  faults_.push_back(fault_of({Code::kInvalidData,
                              "url",
                              std::string(endpoint_of(good.kind)),
                              "the batch's endpoint, " + std::string(endpoint_of(batch_.kind)),
                              {}},
                             good.line));
}

Result<void> BatchTask::end_check() {
  reader_.reset();
  if (checked_ == 0) return fail(Code::kInvalidData, "the input file has no rows");
  if (checked_ > kMostRows) {
    return fail(Code::kResourceLimit, "the input file has too many rows", {},
                fmt::format("at most {}", kMostRows), "cut the file");
  }
  if (!faults_.empty()) {
    fail_with(std::move(faults_));
    return {};
  }
  return update([&](BatchRecord& batch) {
    batch.rows = checked_;
    batch.output_file = FileStore::new_id();
    batch.error_file = FileStore::new_id();
    if (batch.status == BatchStatus::kValidating) {
      batch.move_to(BatchStatus::kInProgress, work_.folder.env().unix_time_s());
    }
  });
}

Result<void> BatchTask::update(const std::function<void(BatchRecord&)>& change) {
  TRY(work_.batches.update(batch_.id, change));
  batch_ = work_.batches.get(batch_.id).value_or(batch_);
  work_.bell->ring();
  return {};
}

Result<void> BatchTask::begin_rows() {
  TRY(open_input());
  output_ = TRY(shown(open_output(output_name(), answered_.emplace())));
  errors_ = TRY(shown(open_output(errors_name(), refused_.emplace())));
  running_ = true;
  at_end_ = false;
  work_.batches.note(batch_.id, [&](BatchRecord& batch) {
    batch.answered = answered_->rows;
    batch.refused = refused_->rows;
  });
  return {};
}

Result<std::unique_ptr<WritableFile>> BatchTask::open_output(const std::string& name,
                                                             frontend::EarlierAnswers& earlier) {
  Env& env = work_.folder.env();
  const std::string path = work_.folder.path(name);
  earlier = TRY(frontend::read_earlier_answers(env, path));
  if (env.exists(path)) TRY(env.truncate_file(path, earlier.whole_bytes));
  return env.open_writable(path, WriteMode::kAppend);
}

Result<bool> BatchTask::read_row() {
  for (;;) {
    const uint64_t before = reader_->bytes_taken();
    auto next = TRY(shown(reader_->next()));
    at_end_ = !next;
    if (at_end_) return false;
    auto* row = std::get_if<frontend::BatchRow>(&*next);
    if (row == nullptr || answered_->ids.contains(row->custom_id) ||
        refused_->ids.contains(row->custom_id)) {
      continue;
    }
    waiting_.push_back({.asked = std::move(*row), .bytes = reader_->bytes_taken() - before});
    return true;
  }
}

bool BatchTask::start_row(int64_t room) {
  if (std::exchange(pause_, false) || failure_ || !has_rows()) return false;
  auto started = try_start(room);
  if (started) return *started;
  failure_ = started.error();
  work_.bell->ring();
  return false;
}

Result<bool> BatchTask::try_start(int64_t room) {
  if (waiting_.empty() && !TRY(read_row())) {
    work_.bell->ring();
    return false;
  }
  Row& row = waiting_.front();
  if (row.answers > room || (row_bytes_ > 0 && row_bytes_ + row.bytes > kMostRowBytes)) {
    return false;
  }
  if (work_.limits != nullptr && !work_.limits->row_may_fit(key_.number)) return false;
  auto request = frontend::read_api_request(row.asked.kind, row.asked.body, work_.model);
  if (!request) return refuse_row(row, request.error());
  row.answers = std::ssize(request->prompts) * request->n;
  if (row.answers > room) return false;
  return ask(row, std::move(*request));
}

// The first of those that wait, which nobody will answer.
Result<bool> BatchTask::refuse_row(const Row& row, const Status& why) {
  TRY(write(false, frontend::refused_row(row.asked.custom_id, {.status = why})));
  waiting_.pop_front();
  work_.bell->ring();
  return true;
}

Result<bool> BatchTask::ask(Row& row, frontend::ApiRequest request) {
  const bool chat = row.asked.kind == ApiKind::kChat;
  request.cache_salt = key_.salt + request.cache_salt;
  request.priority = static_cast<int32_t>(std::min<int64_t>(
      std::numeric_limits<int32_t>::max(), int64_t{request.priority} + kBehindLive));
  request.received_ns = work_.folder.env().now_ns();
  row.head = {.id = frontend::random_id(chat ? "chatcmpl-" : "cmpl-"),
              .model = work_.model.name,
              .created_s = work_.folder.env().unix_time_s()};
  row.generation =
      std::make_shared<Generation>(std::move(request), [bell = work_.bell] { bell->ring(); });
  KeyLimits::Lease lease;
  if (work_.limits != nullptr) {
    auto taken = work_.limits->start_row(key_.number, row.generation->prompt_tokens());
    if (!taken && taken.error().code == Code::kBusy) return false;
    if (!taken) return refuse_row(row, taken.error());
    lease = std::move(*taken);
    row.generation->charge_to(lease);
  }
  if (!work_.served.door.submit(row.generation)) {  // full, or the server is ending
    if (lease) lease->give_back();
    return false;
  }
  asked_ += row.answers;
  row_bytes_ += row.bytes;
  rows_.splice(rows_.end(), waiting_, waiting_.begin());
  return true;
}

Result<void> BatchTask::take_answers() {
  for (auto row = rows_.begin(); row != rows_.end();) {
    const Generation::News news = row->generation->take();
    const auto at = row++;
    if (!news.done) continue;
    asked_ -= at->answers;
    row_bytes_ -= at->bytes;
    if (TRY(end_row(*at, news))) {
      rows_.erase(at);
    } else {
      waiting_.splice(waiting_.end(), rows_, at);
    }
  }
  return {};
}

// False where the row is to be asked again.
Result<bool> BatchTask::end_row(const Row& row, const Generation::News& news) {
  if (news.error && news.error->code == Code::kBusy) {
    pause_ = true;
    return false;
  }
  if (news.error &&
      (news.error->code == Code::kCancelled || news.error->code == Code::kUnavailable)) {
    return true;  // the batch or the server ends: nobody has answered
  }
  auto body = news.error ? std::unexpected(*news.error)
                         : row.generation->body(row.head, frontend::response_body);
  if (body) {
    TRY(write(true, frontend::answered_row(row.asked.custom_id, std::move(*body))));
  } else {
    TRY(write(false, frontend::refused_row(row.asked.custom_id, {.status = body.error()})));
  }
  return true;
}

Result<void> BatchTask::write(bool answered, const std::string& line) {
  TRY(shown((answered ? output_ : errors_)->write(line)));
  work_.batches.note(batch_.id,
                     [&](BatchRecord& batch) { (answered ? batch.answered : batch.refused)++; });
  return {};
}

Result<void> BatchTask::write_unasked() {
  TRY(close_outputs());
  TRY(begin_rows());
  while (TRY(read_row())) {
    TRY(write(false, frontend::unasked_row(waiting_.front().asked.custom_id, "batch_expired",
                                           "the batch ended before this request was asked")));
    waiting_.clear();
  }
  return {};
}

Result<void> BatchTask::close_outputs() {
  for (auto* file : {&output_, &errors_}) {
    if (*file == nullptr) continue;
    TRY(shown((*file)->sync()));
    TRY(shown((*file)->close()));
    file->reset();
  }
  return {};
}

Result<void> BatchTask::finish(BatchStatus last) {
  TRY(close_outputs());
  const std::string output = TRY(make_file(batch_.output_file, output_name()));
  const std::string errors = TRY(make_file(batch_.error_file, errors_name()));
  return update([&](BatchRecord& batch) {
    batch.output_file = output;
    batch.error_file = errors;
    batch.files_shown = true;
    batch.move_to(last, work_.folder.env().unix_time_s());
  });
}

// The id, or nothing where there is nothing to be in the file. A kill may have come before.
Result<std::string> BatchTask::make_file(const std::string& id, const std::string& name) {
  if (id.empty()) return id;
  Env& env = work_.folder.env();
  if (work_.folder.has(name)) {
    if (TRY(shown(env.open_readable(work_.folder.path(name))))->size() == 0) {
      TRY(work_.folder.remove(name));
      return std::string();
    }
  } else if (!work_.folder.has(id)) {
    return std::string();
  }
  const bool output = id == batch_.output_file;
  TRY(work_.files.adopt(name, {.id = id,
                               .owner = batch_.owner,
                               .filename = batch_.id + (output ? "_output.jsonl" : "_error.jsonl"),
                               .purpose = "batch_output",
                               .created_s = env.unix_time_s()}));
  return id;
}

// Its files go first: the disk may be full.
void BatchTask::fail_with(std::vector<BatchFault> faults) {
  abandon();
  output_.reset();
  errors_.reset();
  auto gone = work_.folder.remove(output_name());
  if (gone) gone = work_.folder.remove(errors_name());
  for (const std::string& id : {batch_.output_file, batch_.error_file}) {
    if (gone && work_.files.find(batch_.owner, id)) gone = work_.files.remove(batch_.owner, id);
  }
  if (!gone) log_warning("files: {}: {}", batch_.id, gone.error().message());
  const auto change = [&](BatchRecord& batch) {
    batch.faults = faults;
    batch.output_file.clear();
    batch.error_file.clear();
    batch.move_to(BatchStatus::kFailed, work_.folder.env().unix_time_s());
  };
  // A server that starts later runs it again where not even this can be written.
  if (!work_.batches.update(batch_.id, change)) work_.batches.note(batch_.id, change);
  batch_ = work_.batches.get(batch_.id).value_or(batch_);
  work_.bell->ring();
}

}  // namespace strata::server
