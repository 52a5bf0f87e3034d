// All batches: what is known of each, in memory and on the disk. Between the routes, which create
// and cancel, and the runner, which says how far they are; it runs nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/files/batch_record.h"
#include "server/files/state_folder.h"

namespace strata::server {

/// Thread-safe. Reads wait for nothing; changes wait for the disk.
class BatchStore {
 public:
  static constexpr int64_t kMostOpen = 100;    // of an owner, not yet ended
  static constexpr int64_t kMostKept = 1000;   // of an owner; the oldest that ended is forgotten
  static constexpr int64_t kWindowS = 86'400;  // in which a batch is to end

  /// The folder must outlive the store, and be open before any other call.
  explicit BatchStore(StateFolder& folder) : folder_(folder) {}

  Result<void> load();
  /// Gives it an id and its times. kResourceLimit where the owner has too many.
  Result<BatchRecord> create(BatchRecord asked);
  /// kNotFound for what is not there and for what is another's, in the same words.
  Result<BatchRecord> find(const std::string& owner, const std::string& id) const;
  /// Newest first.
  std::vector<BatchRecord> list(const std::string& owner) const;
  /// kInvalidArgument where it has ended or is about to.
  Result<BatchRecord> cancel(const std::string& owner, const std::string& id);

  /// The batch that has not ended and reads this file.
  std::optional<std::string> reader_of(const std::string& file) const;
  /// Files that batches which have not ended will make.
  std::set<std::string> coming_files() const;

  // The runner's.
  /// The oldest that has not ended, of an owner for whom `may` is true.
  std::optional<BatchRecord> next(const std::function<bool(const std::string& owner)>& may) const;
  std::optional<BatchRecord> get(const std::string& id) const;
  /// On the disk when it returns; after a failure nothing has changed.
  Result<void> update(const std::string& id, const std::function<void(BatchRecord&)>& change);
  /// In memory alone.
  void note(const std::string& id, const std::function<void(BatchRecord&)>& change);

 private:
  Result<void> forget_oldest(const std::string& owner);
  void put(const BatchRecord& batch);

  StateFolder& folder_;
  std::mutex changing_;  // held while the disk is waited for
  mutable std::mutex mutex_;
  std::map<std::string, BatchRecord> batches_;
};

}  // namespace strata::server
