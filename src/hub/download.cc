// Pieces are claimed in order under one lock, fetched without it, and put in place under the
// file's.
#include "hub/download.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread_name.h"
#include "hub/blob_writer.h"

namespace strata::hub {
namespace {

constexpr uint64_t kPieceBytes = 8 << 20;
constexpr size_t kFilesAtOnce = 64;  // each holds two descriptors

// A file under way. Everything but the constants is guarded by Download's lock.
struct Task {
  const RemoteFile* file = nullptr;
  std::unique_ptr<WritableFile> lock;
  std::optional<BlobWriter> writer = {};
  std::string url = {};
  std::string direct = {};    // where its redirects led
  uint64_t next = 0;          // the first byte that nobody has claimed
  bool knows_ranges = false;  // the server has sent a part; until then one piece at a time
  int claimed = 0;            // pieces under way
  bool done = false;
};

struct Piece {
  Task* task = nullptr;
  uint64_t first = 0;
  uint64_t end = 0;  // one behind the last byte
};

class Download {
 public:
  Download(Env& env, Cache& cache, const DownloadPlan& plan, int64_t total, int64_t there)
      : env_(env), cache_(cache), plan_(plan), total_(total), done_(there), kept_(there) {}

  /// At most kFilesAtOnce.
  Result<void> run(std::span<const RemoteFile> files) {
    tasks_.clear();
    tasks_.reserve(files.size());
    for (const RemoteFile& file : files) TRY(begin(file));
    std::vector<std::thread> threads;
    for (int i = 0; i < plan_.jobs; i++) {
      threads.emplace_back([this] { work(); });
      name_thread(threads.back(), "strata-pull");
    }
    for (std::thread& thread : threads) thread.join();
    if (failure_) return std::unexpected(std::move(*failure_));
    return {};
  }

 private:
  Result<void> begin(const RemoteFile& file) {
    Task task;
    task.file = &file;
    task.lock = TRY(wait_for_lock(file));
    // Another process may have brought it in the meantime.
    if (cache_.holds(file, plan_.commit)) {
      report(file.bytes, file.bytes);
      return {};
    }
    task.writer = TRY(BlobWriter::open(env_, file, cache_.incomplete(file), cache_.blob(file)));
    task.next = task.writer->written();
    task.url = HubClient(plan_.hub).file_url(plan_.id, plan_.commit, file.path);
    report(task.writer->kept(), task.writer->kept());
    tasks_.push_back(std::move(task));
    return {};
  }

  Result<std::unique_ptr<WritableFile>> wait_for_lock(const RemoteFile& file) {
    constexpr std::chrono::milliseconds kLook{200};
    for (bool told = false;; told = true) {
      auto lock = cache_.lock(file);
      if (lock || lock.error().code != Code::kBusy) return lock;
      if (!told && plan_.note) plan_.note(file.path + ": another process fetches it, waiting");
      if (stopped()) return fail(Code::kCancelled, "interrupted");
      std::this_thread::sleep_for(kLook);
    }
  }

  bool stopped() const { return plan_.hub.http.stopped && plan_.hub.http.stopped(); }

  void report(uint64_t done, uint64_t kept) {
    done_ += static_cast<int64_t>(done);
    kept_ += static_cast<int64_t>(kept);
    if (plan_.progress) plan_.progress(done_, kept_, total_);
  }

  void work() {
    HubClient client(plan_.hub);
    while (auto piece = claim()) {
      auto got = fetch(client, *piece);
      const std::lock_guard guard(mutex_);
      Task& task = *piece->task;
      task.claimed--;
      outstanding_--;
      if (got && task.writer->complete()) got = finish(task);
      if (!got && !failure_) failure_ = std::move(got).error();
      changed_.notify_all();
    }
  }

  /// nullopt where there is nothing left to do.
  std::optional<Piece> claim() {
    std::unique_lock guard(mutex_);
    for (;;) {
      if (failure_) return {};
      bool open = false;
      for (Task& task : tasks_) {
        open = open || !task.done;
        if (auto piece = next_piece(task)) return piece;
      }
      if (!open) return {};
      changed_.wait(guard);
    }
  }

  std::optional<Piece> next_piece(Task& task) {
    const uint64_t bytes = task.file->bytes;
    const bool empty = task.next == bytes && task.claimed == 0 && task.writer->complete();
    if (task.done || (task.next == bytes && !empty)) return {};
    if (task.claimed > 0 && !task.knows_ranges) return {};
    if (outstanding_ >= 2 * plan_.jobs) return {};
    const Piece piece{&task, task.next, std::min(bytes, task.next + kPieceBytes)};
    task.next = piece.end;
    task.claimed++;
    outstanding_++;
    return piece;
  }

  Result<void> finish(Task& task) {
    if (task.claimed > 0 || task.done) return {};
    if (TRY(task.writer->finish()) == BlobWriter::Outcome::kStartAnew) {
      if (plan_.note) plan_.note(task.file->path + ": what an earlier run left was spoilt; anew");
      done_ -= static_cast<int64_t>(task.file->bytes);
      task.next = 0;
      return {};
    }
    task.lock.reset();
    task.done = true;
    return {};
  }

  /// The piece's bytes into the writer, however often the connection is lost.
  Result<void> fetch(HubClient& client, Piece& piece);
  Attempt<void> check_answer(const HttpHead& head, Piece& piece, uint64_t from, uint64_t& surplus);
  Result<void> put(Task& task, uint64_t offset, std::string bytes);

  Env& env_;
  Cache& cache_;
  const DownloadPlan& plan_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;  // in the order in which they are wanted
  int outstanding_ = 0;      // pieces claimed and not yet put
  int64_t total_, done_, kept_;
  std::optional<Status> failure_;
};

Failure lies(const Task& task, std::string what, std::string got, std::string expected) {
  return {{Code::kInvalidData, fmt::format("{}: {}", task.file->path, what), std::move(got),
           std::move(expected), "this server does not send what it lists"}};
}

// The answer's first bytes are here: which ones are they? A server without ranges sends all: then
// this piece becomes the rest of the file, and `surplus` is what to drop before it.
Attempt<void> Download::check_answer(const HttpHead& head, Piece& piece, uint64_t from,
                                     uint64_t& surplus) {
  Task& task = *piece.task;
  const uint64_t bytes = task.file->bytes;
  surplus = 0;
  const std::lock_guard guard(mutex_);
  if (head.status == 206) {
    const std::string* field = head.field("content-range");
    const std::string expected = fmt::format("bytes {}-{}/{}", from, piece.end - 1, bytes);
    if (field == nullptr || *field != expected) {
      return std::unexpected(lies(task, "content-range", field ? *field : "none", expected));
    }
    task.knows_ranges = true;
    changed_.notify_all();
    return {};
  }
  const std::string* length = head.field("content-length");
  if (length != nullptr && *length != fmt::format("{}", bytes)) {
    return std::unexpected(lies(task, "size", *length + " bytes", fmt::format("{}", bytes)));
  }
  if (task.knows_ranges && piece.end != bytes) {
    return std::unexpected(lies(task, "a part", "all of it", "a part, as before"));
  }
  task.next = piece.end = bytes;
  surplus = from;
  return {};
}

Result<void> Download::put(Task& task, uint64_t offset, std::string bytes) {
  const std::lock_guard guard(mutex_);
  const uint64_t size = bytes.size();
  TRY(task.writer->put(offset, std::move(bytes)));
  report(size, 0);
  return {};
}

Result<void> Download::fetch(HubClient& client, Piece& piece) {
  constexpr size_t kPut = 1 << 20;  // a rest of a file that comes whole is put on the way
  Task& task = *piece.task;
  Patience patience(plan_.hub.http.stopped);
  uint64_t from = piece.first;  // the first byte that is missing
  std::string held;             // those before it that are not put yet
  while (from < piece.end) {
    bool begun = false;
    uint64_t surplus = 0;
    const auto take = [&](const HttpHead& head, std::string_view bytes) -> Attempt<void> {
      if (!begun) {
        auto checked = check_answer(head, piece, from, surplus);
        if (!checked) return checked;
      }
      begun = true;
      const size_t drop = std::min<uint64_t>(surplus, bytes.size());
      bytes.remove_prefix(drop);
      surplus -= drop;
      if (bytes.size() > piece.end - from) {
        return std::unexpected(
            lies(task, "size", "more bytes", fmt::format("{}", task.file->bytes)));
      }
      held += bytes;
      from += bytes.size();
      if (!bytes.empty()) patience.progress();
      if (piece.end - piece.first <= kPieceBytes || held.size() < kPut) return {};
      const uint64_t offset = from - held.size();
      auto done = put(task, offset, std::exchange(held, {}));
      if (!done) return std::unexpected(Failure{std::move(done).error()});
      return {};
    };
    std::string direct;
    {
      const std::lock_guard guard(mutex_);
      direct = task.direct;
    }
    // A file of one piece is asked for whole.
    const bool whole = piece.first == 0 && from == 0 && piece.end == task.file->bytes;
    auto range = std::make_optional(std::pair(from, piece.end - 1));
    auto got = client.get(task.url, direct, whole ? std::nullopt : range, take);
    {
      const std::lock_guard guard(mutex_);
      task.direct = direct;
    }
    if (got && from < piece.end) {
      Status early{Code::kUnavailable, task.file->path + ": the answer ends early", {}, {}, {}};
      got = std::unexpected(Failure{std::move(early), true});
    }
    if (!got) TRY(patience.wait(std::move(got).error()));
  }
  if (held.empty()) return {};
  const uint64_t offset = from - held.size();
  return put(task, offset, std::move(held));
}

Result<void> check_room(Env& env, Cache& cache, const std::vector<RemoteFile>& missing) {
  uint64_t needed = 0;
  for (const RemoteFile& file : missing) {
    const auto earlier = env.open_readable(cache.incomplete(file));
    const uint64_t kept = earlier ? (*earlier)->size() : 0;
    needed += file.bytes - std::min(kept, file.bytes);
  }
  const uint64_t free = TRY(env.free_disk_bytes(cache.hub()));
  if (needed <= free) return {};
  return fail(Code::kResourceLimit, fmt::format("{}: room on the disk", cache.hub()),
              fmt::format("{} bytes", free), fmt::format("{} bytes", needed),
              "free some, or set HF_HOME to a folder of another disk");
}

}  // namespace

Result<void> download_files(Env& env, Cache& cache, const DownloadPlan& plan,
                            std::span<const RemoteFile> files) {
  TRY(cache.prepare());
  std::vector<RemoteFile> missing;  // each content once
  int64_t total = 0, there = 0;
  for (const RemoteFile& file : files) {
    const bool again =
        std::ranges::find(missing, file.digest, &RemoteFile::digest) != missing.end();
    if (!again) total += static_cast<int64_t>(file.bytes);
    if (cache.holds(file, plan.commit)) {
      there += static_cast<int64_t>(file.bytes);
    } else if (!again) {
      missing.push_back(file);
    }
  }
  TRY(check_room(env, cache, missing));
  Download download(env, cache, plan, total, there);
  for (size_t i = 0; i < missing.size(); i += kFilesAtOnce) {
    const size_t count = std::min(kFilesAtOnce, missing.size() - i);
    TRY(download.run(std::span(missing).subspan(i, count)));
  }
  for (const RemoteFile& file : files) TRY(cache.link(file, plan.commit));
  return {};
}

}  // namespace strata::hub
