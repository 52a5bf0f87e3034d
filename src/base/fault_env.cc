// Counting and failing of calls; everything else is passed on to the wrapped Env.
#include "base/fault_env.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace strata {
namespace {

using Kind = FaultPlan::Kind;

std::unexpected<Status> injected(const std::string& where) {
  return fail(Code::kIo, where + ": Input/output error");
}

std::unexpected<Status> disk_full(const std::string& path) {
  return fail(Code::kIo, path + ": No space left on device");
}

class FaultReadable : public ReadableFile {
 public:
  FaultReadable(FaultEnv& env, std::unique_ptr<ReadableFile> inner)
      : env_(env), inner_(std::move(inner)) {}

  uint64_t size() const override { return inner_->size(); }

  Result<void> read_at(uint64_t offset, std::span<std::byte> out) const override {
    if (env_.hit(Kind::kError)) return injected("read");
    if (env_.hit(Kind::kShortRead)) {
      TRY(inner_->read_at(offset, out.first(out.size() / 2)));
      return fail(Code::kInvalidData, "truncated: the file ends inside the bytes to read");
    }
    return inner_->read_at(offset, out);
  }

  void drop_cached(uint64_t offset, uint64_t bytes) const override {
    inner_->drop_cached(offset, bytes);
  }

 private:
  FaultEnv& env_;
  std::unique_ptr<ReadableFile> inner_;
};

class FaultWritable : public WritableFile {
 public:
  FaultWritable(FaultEnv& env, std::string path, std::unique_ptr<WritableFile> inner)
      : env_(env), path_(std::move(path)), inner_(std::move(inner)) {}

  // A disk that fills up takes a part of what is written.
  Result<void> write(std::span<const std::byte> data) override {
    if (env_.hit(Kind::kError)) return injected(path_);
    if (!env_.hit(Kind::kNoSpace)) return inner_->write(data);
    TRY(inner_->write(data.first(data.size() / 2)));
    return disk_full(path_);
  }
  Result<void> write_at(uint64_t offset, std::span<const std::byte> data) override {
    if (env_.hit(Kind::kError)) return injected(path_);
    if (!env_.hit(Kind::kNoSpace)) return inner_->write_at(offset, data);
    TRY(inner_->write_at(offset, data.first(data.size() / 2)));
    return disk_full(path_);
  }
  Result<void> flush_range(uint64_t offset, uint64_t bytes) override {
    TRY(check());
    return inner_->flush_range(offset, bytes);
  }
  Result<void> drop_cached(uint64_t offset, uint64_t bytes) override {
    TRY(check());
    return inner_->drop_cached(offset, bytes);
  }
  Result<void> lock() override {
    if (env_.hit(Kind::kError)) return injected(path_);
    return inner_->lock();
  }
  Result<void> sync() override {
    TRY(check());
    return inner_->sync();
  }
  Result<void> close() override {
    TRY(check());
    return inner_->close();
  }

 private:
  Result<void> check() {
    if (env_.hit(Kind::kError)) return injected(path_);
    if (env_.hit(Kind::kNoSpace)) return disk_full(path_);
    return {};
  }

  FaultEnv& env_;
  std::string path_;
  std::unique_ptr<WritableFile> inner_;
};

// A request that is to fail never reaches the wrapped queue: its outcome comes with the next wait.
class FaultQueue : public ReadQueue {
 public:
  FaultQueue(FaultEnv& env, std::unique_ptr<ReadQueue> inner)
      : env_(env), inner_(std::move(inner)) {}

  const std::string& description() const override { return inner_->description(); }

  void submit(const ReadRequest& request) override {
    const std::string where = "read at byte " + std::to_string(request.offset);
    if (env_.hit(Kind::kError)) {
      failed_.push_back({request.id, injected(where)});
    } else if (env_.hit(Kind::kShortRead)) {
      failed_.push_back({request.id, fail(Code::kInvalidData, where + ": truncated")});
    } else {
      inner_->submit(request);
      under_way_.emplace_back(request.id, request.out.size());
    }
  }

  void wait(std::vector<ReadOutcome>& outcomes) override {
    if (!failed_.empty()) {
      std::ranges::move(failed_, std::back_inserter(outcomes));
      failed_.clear();
      return;
    }
    const size_t before = outcomes.size();
    inner_->wait(outcomes);
    for (size_t i = before; i < outcomes.size(); i++) delay(outcomes[i].id);
  }

 private:
  void delay(uint64_t id) {
    const auto found = std::ranges::find(under_way_, id, &std::pair<uint64_t, size_t>::first);
    const double ns = env_.plan().slow_ns_per_byte * static_cast<double>(found->second);
    under_way_.erase(found);
    if (ns > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(static_cast<int64_t>(ns)));
  }

  FaultEnv& env_;
  std::unique_ptr<ReadQueue> inner_;
  std::vector<ReadOutcome> failed_;
  std::vector<std::pair<uint64_t, size_t>> under_way_;  // id, bytes
};

}  // namespace

bool FaultEnv::hit(Kind kind) {
  if (kind != plan_.kind) return false;
  const int64_t call = calls_.fetch_add(1);
  if (plan_.fail_call < 0) return false;
  return plan_.for_ever ? call >= plan_.fail_call : call == plan_.fail_call;
}

void FaultEnv::set_env(const std::string& name, std::optional<std::string> value) {
  std::erase_if(variables_, [&](const auto& variable) { return variable.first == name; });
  variables_.emplace_back(name, std::move(value));
}

Result<std::unique_ptr<ReadableFile>> FaultEnv::open_readable(const std::string& path) {
  if (hit(Kind::kError)) return injected(path);
  return std::make_unique<FaultReadable>(*this, TRY(inner_.open_readable(path)));
}

Result<std::unique_ptr<WritableFile>> FaultEnv::open_writable(const std::string& path,
                                                              WriteMode mode) {
  if (hit(Kind::kError)) return injected(path);
  if (hit(Kind::kNoSpace)) return disk_full(path);
  return std::make_unique<FaultWritable>(*this, path, TRY(inner_.open_writable(path, mode)));
}

Result<std::unique_ptr<ReadQueue>> FaultEnv::open_read_queue(const ReadQueueConfig& config) {
  if (hit(Kind::kError)) return injected(config.paths.empty() ? "queue" : config.paths.front());
  return std::make_unique<FaultQueue>(*this, TRY(inner_.open_read_queue(config)));
}

bool FaultEnv::exists(const std::string& path) { return inner_.exists(path); }

bool FaultEnv::is_directory(const std::string& path) { return inner_.is_directory(path); }

Result<std::vector<std::string>> FaultEnv::list_directory(const std::string& path) {
  if (hit(Kind::kError)) return injected(path);
  return inner_.list_directory(path);
}

Result<std::string> FaultEnv::canonical_path(const std::string& path) {
  if (hit(Kind::kError)) return injected(path);
  return inner_.canonical_path(path);
}

Result<void> FaultEnv::make_directories(const std::string& path) {
  if (hit(Kind::kError)) return injected(path);
  if (hit(Kind::kNoSpace)) return disk_full(path);
  return inner_.make_directories(path);
}

std::optional<std::string> FaultEnv::get_env(const std::string& name) {
  for (const auto& [key, value] : variables_) {
    if (key == name) return value;
  }
  return inner_.get_env(name);
}

Result<std::string> FaultEnv::read_system_file(const std::string& path) {
  if (hit(FaultPlan::Kind::kError)) return injected(path);
  return inner_.read_system_file(path);
}

Result<void> FaultEnv::truncate_file(const std::string& path, uint64_t bytes) {
  if (hit(FaultPlan::Kind::kError)) return injected(path);
  return inner_.truncate_file(path, bytes);
}

Result<void> FaultEnv::rename_file(const std::string& from, const std::string& to) {
  if (hit(FaultPlan::Kind::kError)) return injected(to);
  return inner_.rename_file(from, to);
}

Result<uint64_t> FaultEnv::free_disk_bytes(const std::string& folder) {
  if (hit(FaultPlan::Kind::kError)) return injected(folder);
  return inner_.free_disk_bytes(folder);
}

Result<std::string> FaultEnv::disk_of(const std::string& path) {
  if (hit(Kind::kError)) return injected(path);
  return inner_.disk_of(path);
}

int64_t FaultEnv::now_ns() { return inner_.now_ns(); }

int64_t FaultEnv::unix_time_s() { return inner_.unix_time_s(); }

}  // namespace strata
