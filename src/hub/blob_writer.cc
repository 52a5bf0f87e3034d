// Appends, and holds back what comes early.
#include "hub/blob_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/private_folder.h"

namespace strata::hub {

BlobWriter::BlobWriter(Env& env, RemoteFile file, std::string incomplete, std::string blob)
    : env_(&env),
      file_(std::move(file)),
      incomplete_(std::move(incomplete)),
      blob_(std::move(blob)),
      digest_(file_.kind, file_.bytes) {}

Result<BlobWriter> BlobWriter::open(Env& env, const RemoteFile& file, std::string incomplete,
                                    std::string blob) {
  BlobWriter writer(env, file, std::move(incomplete), std::move(blob));
  TRY(writer.keep_earlier());
  return writer;
}

Result<void> BlobWriter::keep_earlier() {
  constexpr uint64_t kPiece = 4 << 20;
  WriteMode mode = WriteMode::kTruncate;
  if (env_->exists(incomplete_)) {
    const auto earlier = TRY(env_->open_readable(incomplete_));
    std::vector<std::byte> piece;
    if (earlier->size() <= file_.bytes) mode = WriteMode::kAppend;
    while (mode == WriteMode::kAppend && kept_ < earlier->size()) {
      piece.resize(std::min(kPiece, earlier->size() - kept_));
      auto read = earlier->read_at(kept_, piece);
      if (!read) return std::unexpected(std::move(read).error().with_context(incomplete_));
      digest_.add(piece);
      kept_ += piece.size();
    }
  }
  written_ = kept_;
  out_ = TRY(env_->open_writable(incomplete_, mode));
  return {};
}

Result<void> BlobWriter::append(const std::string& bytes) {
  TRY(out_->write(bytes));
  digest_.add(std::as_bytes(std::span(bytes)));
  written_ += bytes.size();
  return {};
}

Result<void> BlobWriter::put(uint64_t offset, std::string bytes) {
  CHECK(offset >= written_ && offset + bytes.size() <= file_.bytes, "a piece out of place");
  if (offset != written_) {
    waiting_.emplace(offset, std::move(bytes));
    return {};
  }
  TRY(append(bytes));
  while (!waiting_.empty() && waiting_.begin()->first == written_) {
    TRY(append(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
  }
  return {};
}

Result<BlobWriter::Outcome> BlobWriter::finish() {
  TRY(out_->sync());
  TRY(out_->close());
  const std::string found = digest_.finish();
  if (found == file_.digest) {
    TRY(env_->rename_file(incomplete_, blob_));
    return Outcome::kDone;
  }
  TRY(remove_file(incomplete_));
  if (kept_ != 0) {
    *this = TRY(open(*env_, file_, incomplete_, blob_));
    return Outcome::kStartAnew;
  }
  return fail(Code::kInvalidData, fmt::format("{}: digest of what came", file_.path), found,
              file_.digest, "nothing of it was kept; try again, or another --endpoint");
}

}  // namespace strata::hub
