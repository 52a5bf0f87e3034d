// A record is written beside its place and takes it by a rename.
#include "server/files/state_folder.h"

#include <utility>

#include "base/log.h"
#include "base/private_folder.h"

namespace strata::server {
namespace {

constexpr std::string_view kRecordEnd = ".json";
constexpr std::string_view kHalfEnd = ".half";
constexpr uint64_t kMostRecordBytes = 1 << 20;

template <class T>
Result<T> hiding_paths(Result<T> result) {
  if (result) return result;
  return std::unexpected(StateFolder::shown(result.error()));
}

}  // namespace

// What the system said stands behind the last colon.
Status StateFolder::shown(const Status& status) {
  log_warning("files: {}", status.message());
  const size_t colon = status.what.rfind(": ");
  const std::string said = colon == std::string::npos ? "" : status.what.substr(colon + 2);
  if (status.code == Code::kInvalidData || said.empty()) {
    return {status.code, "the server's folder of files cannot be used: see its log", {}, {}, {}};
  }
  return {status.code, "the server's files: " + said, {}, {}, {}};
}

Result<void> StateFolder::open() {
  if (lock_) return {};
  TRY(make_private_folder(path_));
  auto lock = TRY(env_.open_writable(path(".lock"), WriteMode::kKeep));
  if (!lock->lock()) {
    return fail(Code::kUnavailable, path_ + ": another server has this folder", {}, {},
                "give each server a --files-dir of its own");
  }
  lock_ = std::move(lock);
  for (const std::string& name : TRY(env_.list_directory(path_))) {
    if (name.ends_with(kHalfEnd)) TRY(remove_file(path(name)));
  }
  return {};
}

Result<std::vector<std::string>> StateFolder::names() const {
  return hiding_paths(env_.list_directory(path_));
}

Result<std::vector<StateFolder::Record>> StateFolder::read_records(std::string_view prefix) const {
  std::vector<Record> made;
  for (const std::string& name : TRY(names())) {
    if (!name.starts_with(prefix) || !name.ends_with(kRecordEnd)) continue;
    const std::string where = path(name);
    const auto text = env_.read_small_file(where, kMostRecordBytes);
    auto value = text ? parse_json_object(*text, where) : std::unexpected(text.error());
    if (value) {
      made.push_back({name.substr(0, name.size() - kRecordEnd.size()), std::move(*value)});
    } else {
      log_warning("files: {}", value.error().message());
    }
  }
  return made;
}

Result<void> StateFolder::write_whole(const std::string& name, const std::string& text) {
  const auto file = TRY(env_.open_writable(path(name), WriteMode::kTruncate));
  TRY(file->write(text));
  TRY(file->sync());
  return file->close();
}

Result<void> StateFolder::write_record(const std::string& name, const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::string half = name + std::string(kHalfEnd);
  auto written = write_whole(half, text);
  if (written) written = env_.rename_file(path(half), path(name + std::string(kRecordEnd)));
  if (written) return {};
  const Status failure = shown(written.error());
  if (const auto removed = remove(half); !removed) return removed;
  return std::unexpected(failure);
}

Result<void> StateFolder::rename(const std::string& from, const std::string& to) {
  return hiding_paths(env_.rename_file(path(from), path(to)));
}

Result<void> StateFolder::remove(const std::string& name) {
  return hiding_paths(remove_file(path(name)));
}

}  // namespace strata::server
