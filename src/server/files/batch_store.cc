// A change is made to a copy, written, and shown.
#include "server/files/batch_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "frontend/openai_response.h"

namespace strata::server {
namespace {

constexpr std::string_view kPrefix = "batch_";

Status not_found() { return {Code::kNotFound, "no such batch", {}, {}, {}}; }

}  // namespace

Result<void> BatchStore::load() {
  for (const auto& record : TRY(folder_.read_records(kPrefix))) {
    auto batch = batch_from_record(record.value);
    if (batch && batch->id == record.name) {
      put(*batch);
    } else {
      const std::string why = batch ? "another batch's id" : batch.error().message();
      log_warning("files: {}: {}", folder_.path(record.name), why);
    }
  }
  return {};
}

void BatchStore::put(const BatchRecord& batch) {
  const std::lock_guard lock(mutex_);
  batches_[batch.id] = batch;
}

Result<BatchRecord> BatchStore::create(BatchRecord asked) {
  const std::lock_guard lock(changing_);
  const std::vector<BatchRecord> others = list(asked.owner);
  if (std::ranges::count(others, false, &BatchRecord::ended) >= kMostOpen) {
    return fail(Code::kResourceLimit, "too many batches that have not ended", {},
                fmt::format("at most {} of a key", kMostOpen), "wait for one, or cancel one");
  }
  if (std::ssize(others) >= kMostKept) TRY(forget_oldest(asked.owner));
  const int64_t now = folder_.env().unix_time_s();
  asked.id = frontend::random_id(kPrefix);
  asked.move_to(BatchStatus::kValidating, now);
  asked.expires_s = now + kWindowS;
  TRY(folder_.write_record(asked.id, batch_to_record(asked)));
  put(asked);
  return asked;
}

Result<void> BatchStore::forget_oldest(const std::string& owner) {
  const std::vector<BatchRecord> all = list(owner);
  const auto oldest = std::ranges::find(all.rbegin(), all.rend(), true, &BatchRecord::ended);
  if (oldest == all.rend()) return {};
  TRY(folder_.remove_record(oldest->id));
  const std::lock_guard lock(mutex_);
  batches_.erase(oldest->id);
  return {};
}

Result<BatchRecord> BatchStore::find(const std::string& owner, const std::string& id) const {
  auto found = get(id);
  if (found && found->owner == owner) return std::move(*found);
  return std::unexpected(not_found());
}

std::optional<BatchRecord> BatchStore::get(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = batches_.find(id);
  if (found == batches_.end()) return {};
  return found->second;
}

std::vector<BatchRecord> BatchStore::list(const std::string& owner) const {
  std::vector<BatchRecord> made;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, batch] : batches_) {
      if (batch.owner == owner) made.push_back(batch);
    }
  }
  std::ranges::stable_sort(made, std::greater(), &BatchRecord::created_s);
  return made;
}

Result<BatchRecord> BatchStore::cancel(const std::string& owner, const std::string& id) {
  const std::lock_guard lock(changing_);
  BatchRecord batch = TRY(find(owner, id));
  if (batch.status == BatchStatus::kCancelling) return batch;
  if (batch.status != BatchStatus::kValidating && batch.status != BatchStatus::kInProgress) {
    return fail(Code::kInvalidArgument, "the batch cannot be cancelled any more",
                std::string(status_name(batch.status)), "validating or in_progress");
  }
  batch.move_to(BatchStatus::kCancelling, folder_.env().unix_time_s());
  TRY(folder_.write_record(id, batch_to_record(batch)));
  put(batch);
  return batch;
}

std::optional<std::string> BatchStore::reader_of(const std::string& file) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, batch] : batches_) {
    if (!batch.ended() && batch.input_file == file) return id;
  }
  return {};
}

std::set<std::string> BatchStore::coming_files() const {
  const std::lock_guard lock(mutex_);
  std::set<std::string> made;
  for (const auto& [id, batch] : batches_) {
    if (batch.ended()) continue;
    made.insert(batch.output_file);
    made.insert(batch.error_file);
  }
  return made;
}

std::optional<BatchRecord> BatchStore::next(
    const std::function<bool(const std::string& owner)>& may) const {
  const std::lock_guard lock(mutex_);
  const BatchRecord* oldest = nullptr;
  for (const auto& [id, batch] : batches_) {
    if (batch.ended() || !may(batch.owner)) continue;
    if (oldest == nullptr || batch.created_s() < oldest->created_s()) oldest = &batch;
  }
  if (oldest == nullptr) return {};
  return *oldest;
}

Result<void> BatchStore::update(const std::string& id,
                                const std::function<void(BatchRecord&)>& change) {
  const std::lock_guard lock(changing_);
  auto batch = get(id);
  if (!batch) return std::unexpected(not_found());
  change(*batch);
  TRY(folder_.write_record(id, batch_to_record(*batch)));
  put(*batch);
  return {};
}

void BatchStore::note(const std::string& id, const std::function<void(BatchRecord&)>& change) {
  const std::lock_guard lock(changing_);
  auto batch = get(id);
  if (!batch) return;
  change(*batch);
  put(*batch);
}

}  // namespace strata::server
