// /v1/files: uploads, lists, contents. What waits for the disk does so on its own thread;
// coroutines hand it over and go on.
#include <algorithm>
#include <span>
#include <utility>

#include "frontend/api_error.h"
#include "server/api_routes.h"
#include "server/files/file_form.h"
#include "server/files/files_service.h"
#include "server/files/list_page.h"

namespace strata::server {
namespace {

constexpr int64_t kMostListed = 10'000;
constexpr size_t kSendPiece = 64 << 10;

// One of the uploads that may be under way at once.
class UploadSeat {
 public:
  explicit UploadSeat(std::atomic<int64_t>& taken) : taken_(taken), number_(++taken) {}
  UploadSeat(const UploadSeat&) = delete;
  UploadSeat& operator=(const UploadSeat&) = delete;
  ~UploadSeat() { taken_--; }
  bool there() const { return number_ <= FilesService::kMostUploads; }

 private:
  std::atomic<int64_t>& taken_;
  const int64_t number_;
};

// What the form itself refuses as too large is HTTP's 413.
Reply refused_upload(const Status& status) {
  Reply reply = status_reply(status);
  if (status.code == Code::kResourceLimit) reply.status = 413;
  return reply;
}

Result<std::unique_ptr<FileForm>> begin_form(FilesService& files, Exchange& exchange) {
  TRY(files.ready());
  const std::string* type = exchange.request().head.field("content-type");
  return FileForm::begin(files.files(), files.owner(exchange.key()), type == nullptr ? "" : *type);
}

// With -fsanitize GCC 12 takes the delete of this frame, both by Boost, for one of another
// allocator.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
asio::awaitable<Reply> take_form(FilesService& files, Exchange& exchange) {
  Result<std::unique_ptr<FileForm>> form;
  std::function<void()> begin = [&] { form = begin_form(files, exchange); };
  co_await files.on_disk(begin);
  if (!form) co_return refused_upload(form.error());
  Result<void> pushed;
  std::string bytes;
  std::function<void()> push = [&] { pushed = (*form)->push(bytes); };
  for (;;) {
    auto piece = co_await exchange.next_piece();
    if (!piece) co_return error_reply(piece.error());
    if (piece->empty()) break;
    bytes = std::move(*piece);
    co_await files.on_disk(push);
    if (!pushed) co_return refused_upload(pushed.error());
  }
  Result<StoredFile> file;
  std::function<void()> finish = [&] { file = (*form)->finish(); };
  co_await files.on_disk(finish);
  if (!file) co_return refused_upload(file.error());
  list_ignored((*form)->ignored(), exchange);
  Json made = file_json(*file);
  co_return json_reply(made);
}
#pragma GCC diagnostic pop

Result<StoredFile> found_file(FilesService& files, const Exchange& exchange) {
  TRY(files.usable());
  return files.files().find(files.owner(exchange.key()), exchange.id());
}

struct Opened {
  std::unique_ptr<ReadableFile> file;
  uint64_t sent = 0;
  std::string piece;
};

Result<Opened> open_content(Env& env, FilesService& files, Exchange& exchange) {
  const StoredFile file = TRY(found_file(files, exchange));
  auto opened = env.open_readable(files.files().path(file));
  if (!opened) return std::unexpected(StateFolder::shown(opened.error()));
  return Opened{.file = std::move(*opened), .piece = {}};
}

// False where the disk refuses.
bool read_piece(Opened& content) {
  content.piece.resize(std::min<uint64_t>(kSendPiece, content.file->size() - content.sent));
  const auto read =
      content.file->read_at(content.sent, std::as_writable_bytes(std::span(content.piece)));
  content.sent += content.piece.size();
  return read.has_value();
}

// A disk that fails ends the connection: the client sees that bytes are missing.
asio::awaitable<void> send_content(FilesService& files, Exchange& exchange, Opened content) {
  bool there = co_await exchange.begin_bytes("application/octet-stream", content.file->size());
  bool read = true;
  std::function<void()> next = [&] { read = read_piece(content); };
  while (there && content.sent < content.file->size()) {
    co_await files.on_disk(next);
    if (!read) exchange.close_after();
    there = read && co_await exchange.send_bytes(content.piece);
  }
}

Reply no_files() {
  return status_reply(
      {Code::kUnavailable, "this server keeps no files", {}, {}, "start it with --files-dir DIR"});
}

}  // namespace

Result<Json> all_files(FilesService& files, Exchange& exchange) {
  TRY(files.usable());
  const ListQuery query =
      TRY(read_list_query(exchange.request().head.target, kMostListed, kMostListed));
  std::vector<StoredFile> all = files.files().list(files.owner(exchange.key()));
  std::erase_if(all, [&](const StoredFile& file) {
    return !query.purpose.empty() && file.purpose != query.purpose;
  });
  return list_page(std::move(all), query, file_json);
}

Result<Json> one_file(FilesService& files, Exchange& exchange) {
  return file_json(TRY(found_file(files, exchange)));
}

Result<Json> deleted_file(FilesService& files, Exchange& exchange) {
  const StoredFile file = TRY(found_file(files, exchange));
  if (const auto reader = files.batches().reader_of(file.id)) {
    return fail(Code::kInvalidArgument, "the file is read by " + *reader, {}, {},
                "cancel the batch, or wait for its end");
  }
  TRY(files.files().remove(file.owner, file.id));
  return Json{{"id", file.id}, {"object", "file"}, {"deleted", true}};
}

asio::awaitable<void> answer_from_files(Service& service, Exchange& exchange,
                                        FilesQuestion question) {
  FilesService* files = static_cast<ApiService&>(service).files();
  Result<Json> body;
  if (files == nullptr) {
    Reply reply = no_files();
    co_await exchange.reply(std::move(reply));
    co_return;
  }
  std::function<void()> ask = [&] { body = question(*files, exchange); };
  co_await files->on_disk(ask);
  Reply reply = body ? json_reply(*body) : status_reply(body.error());
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> upload_file(Service& service, Exchange& exchange) {
  auto& api = static_cast<ApiService&>(service);
  FilesService* files = api.files();
  Reply reply;
  if (files == nullptr) {
    reply = no_files();
  } else if (api.draining()) {
    reply = unavailable_reply(api);
  } else {
    const UploadSeat seat(files->uploads());
    if (seat.there()) {
      reply = co_await take_form(*files, exchange);
    } else {
      reply = status_reply({Code::kBusy, "too many uploads at once", {}, {}, "try again later"});
    }
  }
  co_await exchange.reply(std::move(reply));
}

asio::awaitable<void> show_file_content(Service& service, Exchange& exchange) {
  auto& api = static_cast<ApiService&>(service);
  FilesService* files = api.files();
  Reply refused = no_files();
  if (files != nullptr) {
    Result<Opened> content;
    std::function<void()> open = [&] { content = open_content(api.env(), *files, exchange); };
    co_await files->on_disk(open);
    if (content) {
      co_await send_content(*files, exchange, std::move(*content));
      co_return;
    }
    refused = status_reply(content.error());
  }
  co_await exchange.reply(std::move(refused));
}

}  // namespace strata::server
