// No order of writes to the disk is relied on before the end: what a power failure lost has not the
// checksum that stands for it.
#include "convert/pack_writer.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace strata::convert {
namespace {

using checkpoint::kPackHeaderBytes;
using checkpoint::PackHeader;

constexpr uint64_t kReadBytes = 4 << 20;

Result<std::string> read_range(const ReadableFile& file, uint64_t offset, uint64_t bytes) {
  std::string text(bytes, '\0');
  TRY(file.read_at(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

std::unexpected<Status> not_ours(std::string got, std::string expected) {
  return fail(Code::kInvalidArgument, "the file", std::move(got), std::move(expected),
              "--overwrite begins anew; or give another --out");
}

}  // namespace

std::string partial_name(const std::string& out) { return out + ".partial"; }

Result<PackWriter> PackWriter::open(Env& env, const std::string& out,
                                    const checkpoint::PackContents& contents,
                                    const checkpoint::PackFront& front, bool overwrite,
                                    const std::function<void(size_t)>& on_kept) {
  PackWriter writer(env, out, contents, front);
  const std::string partial = partial_name(out);
  writer.file_ = TRY(env.open_writable(partial, WriteMode::kKeep));
  TRY(writer.file_->lock());
  const auto found = TRY(env.open_readable(partial));
  if (auto go_on = writer.may_go_on(*found, overwrite); !go_on) {
    return std::unexpected(std::move(go_on).error().with_context(partial));
  } else if (*go_on) {
    TRY(writer.keep_units(*found, on_kept));
  }
  writer.at_ = writer.cached_from_ = writer.unit_offset(writer.next_);
  TRY(env.truncate_file(partial, std::min(found->size(), writer.at_)));
  TRY(writer.file_->write_at(0, std::as_bytes(std::span(writer.front_))));
  return writer;
}

// Whether the file begins as we would have written it. What was killed before its tables were
// whole, or has lost them, is begun anew.
Result<bool> PackWriter::may_go_on(const ReadableFile& file, bool overwrite) const {
  const auto start = TRY(read_range(file, 0, std::min(file.size(), kPackHeaderBytes)));
  if (!checkpoint::kPackMagic.starts_with(start.substr(0, checkpoint::kPackMagic.size()))) {
    return fail(Code::kInvalidArgument, "the file", "another kind of file", "an unfinished pack",
                "move it away or give another --out");
  }
  if (file.size() < header_.data_offset) return false;
  const auto header = checkpoint::decode_header(start, "the file");
  if (!header) {
    if (overwrite || header.error().code != Code::kUnsupported) return false;
    return not_ours("begun by another version of strata", "this version");
  }
  if (header->fingerprint != header_.fingerprint) {
    if (overwrite) return false;
    return not_ours("begun from another model or with another --dtype", "the same");
  }
  const uint64_t bytes = header_.checksums_offset() - kPackHeaderBytes;
  return TRY(read_range(file, kPackHeaderBytes, bytes)) == front_.substr(kPackHeaderBytes, bytes);
}

Result<void> PackWriter::keep_units(const ReadableFile& file,
                                    const std::function<void(size_t)>& on_kept) {
  while (next_ < contents_->units.size() && TRY(is_whole(file, next_))) on_kept(next_++);
  return {};
}

Result<bool> PackWriter::is_whole(const ReadableFile& file, size_t unit) {
  const uint64_t begin = unit_offset(unit), end = unit_offset(unit + 1);
  if (end > file.size()) return false;
  const std::string stored =
      TRY(read_range(file, header_.checksums_offset() + unit * sizeof(uint64_t), sizeof(uint64_t)));
  uint64_t wanted = 0;
  std::memcpy(&wanted, stored.data(), sizeof wanted);
  std::vector<std::byte> window(std::min(kReadBytes, end - begin));
  Checksum sum;
  for (uint64_t at = begin; at < end; at += window.size()) {
    const auto piece = std::span(window).first(std::min<uint64_t>(window.size(), end - at));
    TRY(file.read_at(at, piece));
    file.drop_cached(at, piece.size());
    sum.add(piece);
  }
  if (sum.value() != wanted) return false;
  set_checksum(unit, wanted);
  return true;
}

uint64_t PackWriter::unit_offset(size_t unit) const {
  if (unit == contents_->units.size()) return header_.file_bytes;
  return header_.data_offset + contents_->units[unit].offset;
}

void PackWriter::set_checksum(size_t unit, uint64_t sum) {
  std::memcpy(front_.data() + header_.checksums_offset() + unit * sizeof sum, &sum, sizeof sum);
}

Result<void> PackWriter::add(std::span<const std::byte> bytes) {
  sum_.add(bytes);
  TRY(file_->write_at(at_, bytes));
  TRY(file_->flush_range(at_, bytes.size()));
  // What was written before has had the time of one piece to reach the disk.
  if (at_ > cached_from_) TRY(file_->drop_cached(cached_from_, at_ - cached_from_));
  cached_from_ = at_;
  at_ += bytes.size();
  return {};
}

Result<void> PackWriter::end_unit() {
  const uint64_t sum = sum_.value();
  sum_ = Checksum();
  set_checksum(next_, sum);
  TRY(file_->write_at(header_.checksums_offset() + next_ * sizeof sum,
                      std::as_bytes(std::span(&sum, 1))));
  next_++;
  return {};
}

Result<void> PackWriter::finish() {
  TRY(file_->sync());
  header_.finished = true;
  header_.front_checksum = checksum_of(std::as_bytes(std::span(front_)).subspan(kPackHeaderBytes));
  const std::string header = encode_header(header_);
  TRY(file_->write_at(0, std::as_bytes(std::span(header))));
  TRY(file_->sync());
  TRY(file_->drop_cached(0, header_.file_bytes));
  TRY(env_->rename_file(partial_name(out_), out_));
  return file_->close();
}

}  // namespace strata::convert
