// See pack_file.h. Reads through a small window, so that a lying header costs no memory.
#include "checkpoint/pack_file.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"

namespace strata::checkpoint {
namespace {

constexpr uint64_t kWindowBytes = 1 << 20;

Result<std::string> first_bytes(const ReadableFile& file, uint64_t bytes) {
  std::string start(std::min(file.size(), bytes), '\0');
  TRY(file.read_at(0, std::as_writable_bytes(std::span(start))));
  return start;
}

Result<uint64_t> checksum_of_range(const ReadableFile& file, uint64_t begin, uint64_t end) {
  std::vector<std::byte> window(std::min(kWindowBytes, end - begin));
  Checksum sum;
  for (uint64_t at = begin; at < end; at += window.size()) {
    const auto piece = std::span(window).first(std::min<uint64_t>(window.size(), end - at));
    TRY(file.read_at(at, piece));
    sum.add(piece);
  }
  return sum.value();
}

}  // namespace

bool is_pack(const ReadableFile& file) {
  const auto start = first_bytes(file, kPackMagic.size());
  return start && *start == kPackMagic;
}

Result<PackFile> PackFile::open(Env& env, const std::string& path, const std::string& name) {
  PackFile pack;
  pack.name_ = name;
  pack.path_ = path;
  pack.file_ = TRY(env.open_readable(path));
  auto start = first_bytes(*pack.file_, kPackHeaderBytes);
  if (!start) return std::unexpected(std::move(start).error().with_context(name));
  const PackHeader header = TRY(decode_header(*start, name));
  TRY(check_header(header, pack.file_->size(), name));
  auto front = pack.read_front(header);
  if (!front) return std::unexpected(std::move(front).error().with_context(name));
  return pack;
}

Result<std::string> PackFile::read_text(uint64_t offset, uint64_t bytes) const {
  std::string text(bytes, '\0');
  TRY(file_->read_at(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

Result<void> PackFile::read_front(const PackHeader& header) {
  const uint64_t sum = TRY(checksum_of_range(*file_, kPackHeaderBytes, header.data_offset));
  if (sum != header.front_checksum) {
    return fail(Code::kInvalidData, "the pack's table is damaged: its checksum is wrong", {}, {},
                "convert the model again, or get a whole copy of the file");
  }
  const std::string json = TRY(read_text(kPackHeaderBytes, header.table_bytes));
  table_ = TRY(decode_table(json, header));
  const std::string sums =
      TRY(read_text(header.checksums_offset(), header.units * sizeof(uint64_t)));
  std::vector<PackUnit>& units = table_.contents.units;
  for (size_t i = 0; i < units.size(); i++) {
    std::memcpy(&units[i].checksum, sums.data() + i * sizeof(uint64_t), sizeof(uint64_t));
  }
  documents_offset_ = kPackHeaderBytes + header.table_bytes;
  return {};
}

Result<std::vector<NamedDocument>> PackFile::read_documents() const {
  std::vector<NamedDocument> documents = contents().documents;
  uint64_t at = documents_offset_;
  for (size_t i = 0; i < documents.size(); i++) {
    auto text = read_text(at, table_.document_bytes[i]);
    if (!text) return std::unexpected(std::move(text).error().with_context(name_));
    documents[i].text = std::move(*text);
    at += table_.document_bytes[i];
  }
  return documents;
}

Status PackFile::damaged(size_t unit) const {
  const PackUnit& what = units()[unit];
  return {Code::kInvalidData,
          name_ + ": " + what.name + " (bytes " + std::to_string(what.offset) + " to " +
              std::to_string(what.offset + what.padded_bytes) +
              ") is damaged: its checksum is wrong",
          {},
          {},
          "convert the model again, or get a whole copy of the file"};
}

Result<void> PackFile::walk_unit(size_t unit, const PlaceBytes& place,
                                 const TakeBytes& take) const {
  const PackUnit& what = units()[unit];
  Checksum sum;
  for (uint64_t at = 0; at < what.padded_bytes;) {
    const std::span<std::byte> piece = place(at);
    CHECK(!piece.empty() && piece.size() <= what.padded_bytes - at, "a piece outside of its unit");
    auto read = file_->read_at(what.offset + at, piece);
    if (!read) {
      return std::unexpected(std::move(read).error().with_context(name_ + ": " + what.name));
    }
    sum.add(piece);
    take(at, piece);
    at += piece.size();
  }
  if (sum.value() != what.checksum) return std::unexpected(damaged(unit));
  return {};
}

Result<void> PackFile::read_unit(size_t unit, std::span<std::byte> out,
                                 const std::function<void(int64_t)>& on_read) const {
  const uint64_t bytes = units()[unit].padded_bytes;
  return walk_unit(
      unit, [&](uint64_t at) { return out.subspan(at, std::min(kWindowBytes, bytes - at)); },
      [&](uint64_t, std::span<std::byte> piece) {
        if (on_read) on_read(static_cast<int64_t>(piece.size()));
      });
}

// What was read leaves the page cache at once: it would be charged to this process.
Result<void> PackFile::check_unit(size_t unit) const {
  const PackUnit& what = units()[unit];
  std::vector<std::byte> window(kWindowBytes);
  return walk_unit(
      unit,
      [&](uint64_t at) {
        return std::span(window).first(std::min(kWindowBytes, what.padded_bytes - at));
      },
      [&](uint64_t at, std::span<std::byte> piece) {
        file_->drop_cached(what.offset + at, piece.size());
      });
}

}  // namespace strata::checkpoint
