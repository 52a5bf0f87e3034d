// Tasks advance in turn. A row goes in only while no request waits for the engine, and half of its
// seats stay free of rows.
#include "server/files/batch_runner.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/thread_name.h"

namespace strata::server {
namespace {

constexpr std::chrono::milliseconds kHeldBack{50};
constexpr std::chrono::milliseconds kLook{1000};  // for a window that closes

}  // namespace

BatchRunner::BatchRunner(StateFolder& folder, FileStore& files, BatchStore& batches,
                         std::vector<std::string> owners, KeyLimits* limits)
    : folder_(folder),
      files_(files),
      batches_(batches),
      owners_(std::move(owners)),
      limits_(limits) {}

void BatchRunner::start(const Served& served) {
  thread_ = std::thread([this, &served] { run(served); });
  name_thread(thread_, "strata-batches");
}

void BatchRunner::request_stop() {
  stopping_ = true;
  wake();
}

void BatchRunner::stop() {
  request_stop();
  if (thread_.joinable()) thread_.join();
}

void BatchRunner::run(const Served& served) {
  BatchWork work{.folder = folder_,
                 .files = files_,
                 .batches = batches_,
                 .served = served,
                 .model = served.model,
                 .bell = bell_,
                 .limits = limits_};
  work.model.streams = false;
  while (!stopping_) {
    take_batches(work);
    std::erase_if(tasks_, [](const auto& task) { return task->advance(); });
    const bool filled = fill(served);
    if (tasks_.empty()) {
      bell_->wait({});
    } else {
      bell_->wait(filled ? kLook : kHeldBack);
    }
  }
  for (const auto& task : tasks_) task->abandon();
  tasks_.clear();
}

BatchKey BatchRunner::key_of(const std::string& owner) const {
  if (owner.empty()) return {};
  const auto number = static_cast<size_t>(std::ranges::find(owners_, owner) - owners_.begin());
  return {.number = number, .salt = fmt::format("{}:", number)};
}

void BatchRunner::take_batches(BatchWork& work) {
  const auto may = [&](const std::string& owner) {
    const bool known =
        owners_.empty() ? owner.empty() : std::ranges::find(owners_, owner) != owners_.end();
    return known &&
           std::ranges::none_of(tasks_, [&](const auto& task) { return task->owner() == owner; });
  };
  while (tasks_.size() < kMostTasks) {
    auto next = batches_.next(may);
    if (!next) return;
    BatchKey key = key_of(next->owner);
    tasks_.push_back(std::make_unique<BatchTask>(work, std::move(*next), std::move(key)));
  }
}

int64_t BatchRunner::asked() const {
  int64_t sum = 0;
  for (const auto& task : tasks_) sum += task->answers_asked();
  return sum;
}

bool BatchRunner::fill(const Served& served) {
  const int64_t most = std::max<int64_t>(1, served.engine.config().max_num_seqs / 2);
  bool more = true;
  while (more) {
    more = false;
    for (const auto& task : tasks_) {
      if (served.engine.queued() > 0) return false;
      const int64_t room = asked() == 0 ? std::numeric_limits<int64_t>::max() : most - asked();
      more = (room > 0 && task->start_row(room)) || more;
    }
  }
  const auto has_rows = [](const auto& task) { return task->has_rows(); };
  return asked() > 0 || std::ranges::none_of(tasks_, has_rows);
}

}  // namespace strata::server
