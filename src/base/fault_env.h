// An Env that fails on purpose: the Nth call of the wrapped one returns an error, a short read or a
// full disk, once or for ever after; or its disk is slow. Tests loop N until a run is clean;
// nothing in production uses it.
#pragma once

#include <atomic>

#include "base/env.h"

namespace strata {

struct FaultPlan {
  enum class Kind {
    kError,      // any call: EIO
    kShortRead,  // reads: half of the bytes, then the error of a file that ended early
    kNoSpace,    // writes (half of the bytes are written), syncs and closes: ENOSPC
  };
  Kind kind = Kind::kError;
  int64_t fail_call =
      -1;  // the call that fails, counted from 0 over the calls that `kind` can hit; -1 never
  bool for_ever = false;        // every later call fails too
  double slow_ns_per_byte = 0;  // what a read of a queue takes longer
};

/// Owns nothing of `inner`, which must outlive it and every file opened through it. Thread-safe.
class FaultEnv : public Env {
 public:
  explicit FaultEnv(Env& inner, FaultPlan plan = {}) : inner_(inner), plan_(plan) {}

  /// Calls so far that the plan's kind could have hit.
  int64_t calls() const { return calls_.load(); }
  /// Whether this call is one to fail; counts it. Used by the files that this Env opens.
  bool hit(FaultPlan::Kind kind);

  const FaultPlan& plan() const { return plan_; }

  /// Overrides a variable of the environment (nullopt hides it).
  void set_env(const std::string& name, std::optional<std::string> value);

  Result<std::unique_ptr<ReadableFile>> open_readable(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path,
                                                      WriteMode mode) override;
  Result<std::unique_ptr<ReadQueue>> open_read_queue(const ReadQueueConfig& config) override;
  bool exists(const std::string& path) override;
  bool is_directory(const std::string& path) override;
  Result<std::vector<std::string>> list_directory(const std::string& path) override;
  Result<std::string> canonical_path(const std::string& path) override;
  Result<void> make_directories(const std::string& path) override;
  std::optional<std::string> get_env(const std::string& name) override;
  Result<std::string> read_system_file(const std::string& path) override;
  Result<void> truncate_file(const std::string& path, uint64_t bytes) override;
  Result<void> rename_file(const std::string& from, const std::string& to) override;
  Result<uint64_t> free_disk_bytes(const std::string& folder) override;
  Result<std::string> disk_of(const std::string& path) override;
  int64_t now_ns() override;
  int64_t unix_time_s() override;

 private:
  Env& inner_;
  const FaultPlan plan_;
  std::atomic<int64_t> calls_{0};
  std::vector<std::pair<std::string, std::optional<std::string>>> variables_;
};

}  // namespace strata
