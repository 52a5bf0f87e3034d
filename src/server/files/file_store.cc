// A file is there once its record is: bytes first, then the record; and the other way round at the
// end.
#include "server/files/file_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/log.h"
#include "frontend/openai_response.h"

namespace strata::server {
namespace {

constexpr std::string_view kPrefix = "file-";
constexpr std::string_view kPartEnd = ".part";
constexpr int64_t kMostNumber = int64_t{1} << 60;
constexpr std::string_view kUploaded = "batch";

Json record_of(const StoredFile& file) {
  return {{"owner", file.owner},
          {"filename", file.filename},
          {"purpose", file.purpose},
          {"bytes", file.bytes},
          {"created_at", file.created_s}};
}

Result<StoredFile> file_of(const std::string& id, const Json& record) {
  return StoredFile{.id = id,
                    .owner = TRY(get_string(record, "owner")),
                    .filename = TRY(get_string(record, "filename")),
                    .purpose = TRY(get_string(record, "purpose")),
                    .bytes = TRY(get_int(record, "bytes", 0, kMostNumber)),
                    .created_s = TRY(get_int(record, "created_at", 0, kMostNumber))};
}

}  // namespace

Json file_json(const StoredFile& file) {
  return {{"id", file.id},
          {"object", "file"},
          {"bytes", file.bytes},
          {"created_at", file.created_s},
          {"expires_at", nullptr},
          {"filename", file.filename},
          {"purpose", file.purpose},
          {"status", "processed"},
          {"status_details", nullptr}};
}

std::string FileStore::new_id() { return frontend::random_id(kPrefix); }

Result<void> FileStore::load(const std::set<std::string>& keep) {
  const std::lock_guard lock(mutex_);
  for (const auto& record : TRY(folder_.read_records(kPrefix))) {
    auto file = file_of(record.name, record.value);
    if (!file) {
      log_warning("files: {}: {}", folder_.path(record.name), file.error().message());
      continue;
    }
    if (file->purpose == kUploaded) uploaded_bytes_ += file->bytes;
    files_.emplace(record.name, std::move(*file));
  }
  // A kill between a file's record and its bytes.
  for (const std::string& name : TRY(folder_.names())) {
    const bool bytes = name.starts_with(kPrefix) && !name.contains('.') && !keep.contains(name);
    const bool part = name.starts_with(kPrefix) && name.ends_with(kPartEnd);
    if (part || (bytes && !folder_.has(name + ".json"))) TRY(folder_.remove(name));
  }
  return {};
}

Result<void> FileStore::reserve(const std::string& owner, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (uploaded_bytes_ + bytes > limits_.all_bytes) {
    return fail(Code::kResourceLimit, "all files of this server together are too large", {},
                fmt::format("at most {} bytes (--files-max-total)", limits_.all_bytes),
                "delete files that are no longer needed");
  }
  const auto count = std::ranges::count_if(files_, [&](const auto& entry) {
    return entry.second.owner == owner && entry.second.purpose == kUploaded;
  });
  if (count >= limits_.files) {
    return fail(Code::kResourceLimit, "too many files", {},
                fmt::format("at most {} of a key", limits_.files),
                "delete files that are no longer needed");
  }
  uploaded_bytes_ += bytes;
  return {};
}

void FileStore::release(int64_t bytes) {
  const std::lock_guard lock(mutex_);
  uploaded_bytes_ -= bytes;
}

Result<std::unique_ptr<FileStore::Upload>> FileStore::begin(const std::string& owner) {
  TRY(reserve(owner, 0));
  std::unique_ptr<Upload> made(new Upload(*this, {.id = new_id(),
                                                  .owner = owner,
                                                  .filename = {},
                                                  .purpose = {},
                                                  .created_s = folder_.env().unix_time_s()}));
  auto out = folder_.env().open_writable(folder_.path(made->file_.id + std::string(kPartEnd)),
                                         WriteMode::kTruncate);
  if (!out) return std::unexpected(StateFolder::shown(out.error()));
  made->out_ = std::move(*out);
  return made;
}

FileStore::Upload::~Upload() {
  if (finished_) return;
  out_.reset();
  store_.release(file_.bytes);
  const auto removed = store_.folder_.remove(file_.id + std::string(kPartEnd));
  if (!removed) log_warning("files: {}", removed.error().message());
}

Result<void> FileStore::Upload::write(std::string_view bytes) {
  const auto count = static_cast<int64_t>(bytes.size());
  const int64_t most = store_.limits_.file_bytes;
  if (file_.bytes + count > most) {
    return fail(Code::kResourceLimit, "the file is too large", {},
                fmt::format("at most {} bytes (--files-max-bytes)", most));
  }
  TRY(store_.reserve(file_.owner, count));
  file_.bytes += count;
  const auto written = out_->write(bytes);
  if (!written) return std::unexpected(StateFolder::shown(written.error()));
  return {};
}

Result<StoredFile> FileStore::Upload::finish(std::string filename, std::string purpose) {
  file_.filename = std::move(filename);
  file_.purpose = std::move(purpose);
  auto ended = out_->sync();
  if (ended) ended = out_->close();
  if (!ended) return std::unexpected(StateFolder::shown(ended.error()));
  TRY(store_.publish(file_.id + std::string(kPartEnd), file_));
  finished_ = true;
  return file_;
}

Result<void> FileStore::publish(const std::string& name, const StoredFile& file) {
  if (folder_.has(name)) TRY(folder_.rename(name, file.id));
  if (const auto recorded = folder_.write_record(file.id, record_of(file)); !recorded) {
    TRY(folder_.rename(file.id, name));
    return recorded;
  }
  const std::lock_guard lock(mutex_);
  files_[file.id] = file;
  return {};
}

Result<void> FileStore::adopt(const std::string& name, StoredFile file) {
  if (find(file.owner, file.id)) return {};
  const std::string lies = folder_.path(folder_.has(name) ? name : file.id);
  const auto opened = folder_.env().open_readable(lies);
  if (!opened) return std::unexpected(StateFolder::shown(opened.error()));
  file.bytes = static_cast<int64_t>((*opened)->size());
  return publish(name, file);
}

Result<StoredFile> FileStore::find(const std::string& owner, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(id);
  if (found != files_.end() && found->second.owner == owner) return found->second;
  return fail(Code::kNotFound, "no such file");
}

std::vector<StoredFile> FileStore::list(const std::string& owner) const {
  std::vector<StoredFile> made;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, file] : files_) {
      if (file.owner == owner) made.push_back(file);
    }
  }
  std::ranges::stable_sort(made, std::greater(), &StoredFile::created_s);
  return made;
}

Result<void> FileStore::remove(const std::string& owner, const std::string& id) {
  const StoredFile file = TRY(find(owner, id));
  TRY(folder_.remove_record(id));
  {
    const std::lock_guard lock(mutex_);
    files_.erase(id);
    if (file.purpose == kUploaded) uploaded_bytes_ -= file.bytes;
  }
  return folder_.remove(id);
}

}  // namespace strata::server
