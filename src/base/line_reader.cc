// Reads in chunks; a line that spans chunks is put together.
#include "base/line_reader.h"

#include <fmt/core.h>

#include <algorithm>

namespace strata {
namespace {

constexpr size_t kReadBytes = 1 << 20;

}  // namespace

Result<LineReader> LineReader::open(Env& env, const std::string& path) {
  return LineReader(TRY(env.open_readable(path)));
}

Result<std::optional<LineReader::Line>> LineReader::next() {
  for (;;) {
    Line line;
    if (!TRY(take_line(line))) return std::nullopt;
    line.number = ++number_;
    if (line.text.ends_with('\r')) line.text.pop_back();
    if (line.too_long || line.text.find_first_not_of(" \t\r") != std::string::npos) return line;
  }
}

Result<bool> LineReader::take_line(Line& line) {
  for (;;) {
    const size_t end = buffer_.find('\n', consumed_);
    const size_t stop = std::min(end, buffer_.size());
    if (line.text.size() <= kMaxBytes) line.text.append(buffer_, consumed_, stop - consumed_);
    line.too_long = line.text.size() > kMaxBytes;
    if (end != std::string::npos) {
      consumed_ = end + 1;
      return true;
    }
    const uint64_t left = file_->size() - read_;
    if (left == 0) {
      line.ended = false;
      const bool something = consumed_ < buffer_.size() || !line.text.empty();
      consumed_ = buffer_.size();
      return something;
    }
    buffer_.resize(std::min<uint64_t>(left, kReadBytes));
    consumed_ = 0;
    TRY(file_->read_at(read_, std::as_writable_bytes(std::span(buffer_))));
    read_ += buffer_.size();
  }
}

Status line_too_long() {
  return {Code::kInvalidData,
          "the line is too long",
          {},
          fmt::format("at most {} bytes", LineReader::kMaxBytes),
          {}};
}

}  // namespace strata
